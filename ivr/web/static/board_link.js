// The board's link to the line: one WebSocket, commands with answers, the service's clock.

const AGAIN_MS = [150, 400, 1000, 2000];

export class Link {
  // told(message): whatever isn't an answer; state("open" | "lost").
  constructor(told, state) {
    this.told = told;
    this.state = state;
    this.waiting = new Map();
    this.number = 0;
    this.tries = 0;
    this.offset = 0;
    this.connect();
  }

  now() { return Date.now() + this.offset; }

  connect() {
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/board/socket`);
    this.socket.onopen = () => { this.tries = 0; this.state("open"); };
    this.socket.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.kind === "hello") this.offset = Date.parse(told.now) - Date.now();
      if (told.kind === "done" || told.kind === "refused") this.settle(told);
      else this.told(told);
    };
    this.socket.onclose = () => {
      for (const { fail } of this.waiting.values()) fail(new Error("the connection to the line was lost"));
      this.waiting.clear();
      this.state("lost");
      setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]);
    };
  }

  settle(told) {
    const asked = this.waiting.get(told.id);
    this.waiting.delete(told.id);
    if (told.kind === "done") asked?.done(told);
    else asked?.fail(new Error(told.why));
  }

  // Resolves with what is told; rejects with why not.
  ask(command, values = {}) {
    return new Promise((done, fail) => {
      if (this.socket.readyState !== WebSocket.OPEN) return fail(new Error("there is no connection to the line just now"));
      const id = ++this.number;
      this.waiting.set(id, { done, fail });
      this.socket.send(JSON.stringify({ id, do: command, ...values }));
    });
  }
}
