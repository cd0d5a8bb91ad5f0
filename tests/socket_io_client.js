// npm's client in the room: prints what it is told as JSON, a line for each event, and says what it reads as JSON.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, name, transport] = process.argv.slice(2);
const socket = io(url, {
  path: "/sio/socket.io",
  auth: { name },
  transports: [transport],
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
  retries: 1000,
  ackTimeout: 5000,
});

const print = (...event) => console.log(JSON.stringify(event));
socket.onAny(print);
socket.on("connect", () => print("connect"));
socket.on("disconnect", (reason) => print("disconnect", reason));
socket.on("connect_error", (error) => print("connect_error", error.message));
createInterface({ input: process.stdin }).on("line", (line) => {
  socket.emit("message", JSON.parse(line), (error, answer) => print("acknowledged", error?.message ?? answer));
});
