/** A client of the room: says what the command line tells it to, one after the other, and prints what is said by all. */

import { io } from "socket.io-client";

const [url, name, ...texts] = process.argv.slice(2);
const socket = io(url, { path: "/sio/socket.io", auth: { name } });

socket.on("response", (message) => console.log(JSON.stringify(message)));
socket.on("welcome", async () => {
  for (const text of texts) await socket.emitWithAck("message", { text });
});
