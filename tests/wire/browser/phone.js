// A page that is a phone, as small as one can be, and instruments to measure what it hears.
"use strict";

const instruments = {};

async function connect(path) {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio });
  const clicked = performance.now();
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
  const [track] = microphone.getAudioTracks();
  const { sender } = connection.addTransceiver(track, { direction: "sendrecv", streams: [microphone] });
  const connected = new Promise((resolve, reject) => {
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "connected") resolve(performance.now() - clicked);
      if (connection.connectionState === "failed") reject(new Error("failed"));
    };
  });
  connection.ontrack = ({ track: theirs }) => {
    const stream = new MediaStream([theirs]);
    document.getElementById("caller").srcObject = stream; // WebAudio gets a remote track only if an element has it too
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(analyser);
    Object.assign(instruments, { context, analyser });
    context.resume();
  };
  await connection.setLocalDescription();
  await exchange(connection, path);
  Object.assign(instruments, { connection, sender, track });
  return connected;
}

async function exchange(connection, path) {
  const response = await fetch(path, { method: "POST", body: connection.localDescription.sdp });
  await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
}

async function restart(path) {
  const { connection } = instruments;
  connection.restartIce();
  await connection.setLocalDescription();
  await exchange(connection, path);
}

// The strongest frequency in Hz, and the level (RMS, full scale is 1).
function heard() {
  const { analyser, context } = instruments;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const strongest = bins.indexOf(Math.max(...bins));
  const level = Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
  return { hertz: (strongest * context.sampleRate) / analyser.fftSize, level };
}

function press(keys) {
  instruments.sender.dtmf.insertDTMF(keys, 100, 70);
}

function hangUp() {
  instruments.connection.close();
}

function mute(on) {
  instruments.track.enabled = !on;
}

// What the browser knows from our RTCP: round trip in seconds, packets we lost.
async function reported() {
  for (;;) {
    for (const report of (await instruments.connection.getStats()).values())
      if (report.type === "remote-inbound-rtp" && report.roundTripTimeMeasurements)
        return { trip: report.roundTripTime, lost: report.packetsLost };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
