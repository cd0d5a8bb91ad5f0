"""Whose the files are: root's commands leave none behind that the service, another user, cannot use."""

import os
from pathlib import Path


def hand_over(folder: Path, name: str, owner: Path) -> None:
    """Give what root has made in a folder, and whose name begins so, to whom another folder belongs.

    The user whose folder it is may put links there meanwhile; none is followed.
    """
    to = owner.stat()
    if os.geteuid() != 0 or to.st_uid == 0:
        return
    for place, folders, files, descriptor in os.fwalk(folder):
        if Path(place) == folder:
            folders[:] = [one for one in folders if one.startswith(name)]
            files[:] = [one for one in files if one.startswith(name)]
        for one in (*folders, *files):
            if os.stat(one, dir_fd=descriptor, follow_symlinks=False).st_uid == 0:
                os.chown(one, to.st_uid, to.st_gid, dir_fd=descriptor, follow_symlinks=False)
