// The ring of a phone in the page: two soft tones, repeated, on the device that was chosen for it.

const TONES = [587.33, 783.99]; // D5, G5
const EVERY_MS = 2600;

export class Ring {
  constructor() {
    this.device = localStorage.getItem("desk.ring") || "";
  }

  get canChoose() { return "setSinkId" in AudioContext.prototype; }

  // From a key press or a click: browsers let nothing sound before.
  async wake() {
    this.context ??= new AudioContext();
    if (this.canChoose && this.device) await this.context.setSinkId(this.device).catch(() => {});
    if (this.context.state === "suspended") await this.context.resume().catch(() => {});
  }

  async choose(device) {
    this.device = device;
    localStorage.setItem("desk.ring", device);
    await this.wake();
    if (this.canChoose) await this.context.setSinkId(device === "default" ? "" : device).catch(() => {});
    this.once();
  }

  start() {
    if (this.timer) return;
    this.wake();
    this.once();
    this.timer = setInterval(() => this.once(), EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.sounding?.forEach((each) => { try { each.stop(); } catch { /* it has ended */ } });
    this.sounding = null;
  }

  once() {
    const context = this.context;
    if (!context || context.state !== "running") return;
    const at = context.currentTime + 0.02;
    this.sounding = [0, 0.22, 0.44, 0.66].map((delay, number) => {
      const tone = context.createOscillator(), level = context.createGain();
      tone.frequency.value = TONES[number % 2];
      level.gain.setValueAtTime(0, at + delay);
      level.gain.linearRampToValueAtTime(0.16, at + delay + 0.02);
      level.gain.exponentialRampToValueAtTime(0.001, at + delay + 0.34);
      tone.connect(level).connect(context.destination);
      tone.start(at + delay);
      tone.stop(at + delay + 0.36);
      return tone;
    });
  }
}
