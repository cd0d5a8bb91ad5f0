/** What was said, in a box that scrolls: it follows what is new, unless somebody is reading above. */

const NEAR = 60; // px from the end that count as being there

export class Log {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} chip says that there is something new below, and leads there
   */
  constructor(scroller, chip) {
    this.scroller = scroller;
    this.chip = chip;
    this.atEnd = true;
    scroller.addEventListener("scroll", () => this.#look());
    chip.addEventListener("click", () => {
      this.scroller.focus(); // the chip, which had the focus, goes
      this.toEnd();
    });
    // The box gets smaller when a keyboard or a second line of the message comes up, and what is in it grows.
    const watching = new ResizeObserver(() => this.atEnd && this.toEnd());
    watching.observe(scroller);
    for (const child of scroller.children) watching.observe(child);
  }

  /** Show the end. */
  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#look();
  }

  /** Show the beginning. */
  toStart() {
    this.scroller.scrollTop = 0;
    this.#look();
  }

  /** Say that there is something new, which a reader who is not at the end has not seen. */
  isNew() {
    if (this.atEnd) this.toEnd();
    else this.chip.hidden = false;
  }

  /**
   * Change what is above without moving what is seen.
   * @param {() => void} change
   */
  above(change) {
    const below = this.scroller.scrollHeight - this.scroller.scrollTop;
    change();
    this.scroller.scrollTop = this.scroller.scrollHeight - below;
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.atEnd) this.chip.hidden = true;
  }
}
