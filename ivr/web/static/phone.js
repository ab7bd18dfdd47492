// A phone in the page: one RTCPeerConnection to the line's own media, signalled by whoever makes it (`tell`).
// Events: "change" (state, devices, quality or mute), "unplugged" (the microphone is gone).

const G711 = /PCM[UA]|telephone-event/i;
const RETRY_S = [0.2, 0.5, 1, 2, 4];
const QUALITY_EVERY_MS = 4000;
const STUCK_MS = 6000;

export class Phone extends EventTarget {
  // tell(sdp): resolves with the answer's SDP. sound: an <audio> element.
  constructor(tell, sound) {
    super();
    this.tell = tell;
    this.sound = sound;
    this.state = "off"; // off, connecting, ready, lost; blocked: no microphone, why in `trouble`
    this.trouble = "";
    this.quality = "";
    this.microphones = [];
    this.speakers = [];
    this.deviceId = localStorage.getItem("desk.microphone") || "";
    this.wanted = false;
    this.silent = false; // mute
    this.tries = 0;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.look());
    addEventListener("online", () => this.renew());
    setInterval(() => this.measure(), QUALITY_EVERY_MS);
  }

  tellChange() { this.dispatchEvent(new Event("change")); }

  become(state, trouble = "") {
    if (this.state === state && this.trouble === trouble) return;
    this.state = state;
    this.trouble = trouble;
    if (state !== "ready") this.quality = "";
    this.tellChange();
  }

  // Before the first call, not with it: permission, device and a warm capture take their time. Resolves when it stands.
  async start() {
    this.wanted = true;
    if (this.state === "ready") return;
    await this.capture();
    await this.connect();
  }

  // The microphone is let go: nobody listens to who is away.
  stop() {
    this.wanted = false;
    clearTimeout(this.again);
    this.close();
    this.microphone?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.microphone = null;
    this.become("off");
  }

  async capture() {
    if (!navigator.mediaDevices) {
      this.become("blocked", "This page can't use a microphone: it has to come by HTTPS, or from this machine.");
      throw new Error(this.trouble);
    }
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (this.deviceId) audio.deviceId = { ideal: this.deviceId };
    let found;
    try {
      found = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      const none = error.name === "NotFoundError";
      this.become("blocked", none ? "No microphone is plugged in." : "The microphone is blocked: allow it for this page in the address bar.");
      throw new Error(this.trouble);
    }
    this.microphone?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.microphone = found;
    const [track] = found.getAudioTracks();
    track.enabled = !this.silent;
    track.onended = () => this.unplugged();
    this.deviceId = track.getSettings().deviceId || this.deviceId;
    await this.look();
  }

  async look() {
    const every = await navigator.mediaDevices.enumerateDevices();
    const named = (kind) => every.filter((each) => each.kind === kind && each.deviceId)
      .map((each, number) => ({ id: each.deviceId, name: each.label || `Device ${number + 1}` }));
    this.microphones = named("audioinput");
    this.speakers = named("audiooutput");
    this.tellChange();
  }

  // Another microphone takes over at once; the connection stays.
  async choose(deviceId) {
    this.deviceId = deviceId;
    localStorage.setItem("desk.microphone", deviceId);
    if (!this.microphone) return;
    await this.capture();
    await this.sender?.replaceTrack(this.microphone.getAudioTracks()[0]);
    this.tellChange();
  }

  async unplugged() {
    this.dispatchEvent(new Event("unplugged"));
    this.deviceId = "";
    try {
      await this.capture(); // another one may be there
      await this.sender?.replaceTrack(this.microphone.getAudioTracks()[0]);
      this.tellChange();
    } catch { /* become() said why */ }
  }

  // A new connection; also after a reload or when the network changed: the caller's side is kept for a moment.
  async connect() {
    this.close();
    this.become("connecting");
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.connection = connection;
    const [track] = this.microphone.getAudioTracks();
    const transceiver = connection.addTransceiver(track, { direction: "sendrecv", streams: [this.microphone] });
    transceiver.setCodecPreferences(RTCRtpSender.getCapabilities("audio").codecs.filter((codec) => G711.test(codec.mimeType)));
    this.sender = transceiver.sender;
    connection.ontrack = ({ track: theirs }) => {
      this.sound.srcObject = new MediaStream([theirs]);
      this.sound.play().catch(() => {}); // it plays after the first key or click
    };
    connection.onconnectionstatechange = () => this.moved(connection);
    try {
      await connection.setLocalDescription();
      const answer = await this.tell(connection.localDescription.sdp); // no trickle: the line is ICE-lite
      if (connection !== this.connection) return;
      await connection.setRemoteDescription({ type: "answer", sdp: answer });
      this.stuck = setTimeout(() => { if (connection === this.connection && this.state === "connecting") this.renew(); }, STUCK_MS);
    } catch (error) {
      if (connection !== this.connection) return;
      this.become("lost", error.message);
      this.later();
      throw error;
    }
  }

  moved(connection) {
    if (connection !== this.connection) return;
    switch (connection.connectionState) {
      case "connected":
        this.tries = 0;
        clearTimeout(this.stuck);
        this.become("ready");
        break;
      case "failed":
      case "disconnected":
        this.become("lost", "The phone lost its connection; trying again.");
        this.later();
    }
  }

  later() {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.renew(), 1000 * RETRY_S[Math.min(this.tries++, RETRY_S.length - 1)]);
  }

  async renew() {
    if (!this.wanted) return;
    try {
      if (!this.microphone?.getAudioTracks().some((track) => track.readyState === "live")) await this.capture();
      await this.connect();
    } catch { /* become() said why, later() tries again */ }
  }

  close() {
    clearTimeout(this.stuck);
    if (!this.connection) return;
    this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.connection = null;
    this.seen = null;
  }

  // Silence keeps flowing, so that nothing times out.
  mute(on) {
    this.silent = on;
    const [track] = this.microphone?.getAudioTracks() ?? [];
    if (track) track.enabled = !on;
  }

  // One word from two readings: what was lost or made up, and how unevenly packets came.
  async measure() {
    if (this.state !== "ready") return;
    const reports = [...(await this.connection.getStats()).values()];
    const now = reports.find((each) => each.type === "inbound-rtp");
    const far = reports.find((each) => each.type === "remote-inbound-rtp");
    const before = this.seen;
    this.seen = now;
    if (!now || !before) return;
    const came = now.packetsReceived - before.packetsReceived;
    const lost = Math.max(0, now.packetsLost - before.packetsLost);
    const played = now.totalSamplesReceived - before.totalSamplesReceived;
    const made = played > 0 ? (now.concealedSamples - before.concealedSamples) / played : 0;
    const share = came + lost > 0 ? lost / (came + lost) : 0;
    const worst = Math.max(share, came > 0 ? made / 2 : 0, far?.fractionLost ?? 0);
    const word = came === 0 ? "" : worst > 0.08 || now.jitter > 0.08 ? "bad" : worst > 0.025 || now.jitter > 0.04 ? "fair" : "good";
    if (word !== this.quality) {
      this.quality = word;
      this.tellChange();
    }
  }
}
