"use strict";
// The page of `svfap serve`: videos are sent one after the other and their results stay in this
// browser; pictures of the camera are sent as fast as the server answers.
const byId = id => document.getElementById(id);
const AT_ONCE = 2; // videos to send at the same time
const RETRY = 5000; // milliseconds after which a full server is asked again
const SIDE = 640; // pixels of a camera picture's longer side
const STAGES = {waiting: "waiting", faces: "looking for faces", scores: "scoring", video: "drawing the annotated video"};
let model = {targets: [], colours: [], task: "classification"};

function add(parent, name, properties = {}, text) {
  const node = Object.assign(document.createElement(name), properties);
  if (text !== undefined) node.textContent = text;
  return parent.appendChild(node);
}

const format = value => model.task === "classification" ? Math.round(100 * value) + " %" : value.toFixed(2);
const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

// A bar of each target; `scores` are in the order of the targets.
function showBars(place, scores) {
  place.replaceChildren();
  if (!scores) return;
  const low = model.task === "classification" ? 0 : Math.min(0, ...scores);
  const high = model.task === "classification" ? 1 : Math.max(1, ...scores);
  scores.forEach((score, k) => {
    add(place, "span", {}, model.targets[k]);
    const bar = add(add(place, "div"), "i");
    bar.style.background = model.colours[k];
    bar.style.width = 100 * (score - low) / (high - low) + "%";
    add(place, "span", {}, format(score));
  });
}

async function reason(answer) {
  try { return (await answer.json()).error; } catch { return "the server answered with " + answer.status; }
}

// --- Videos -----------------------------------------------------------------------------------

const queue = [];
let sending = 0;

function chosenOptions() {
  const query = new URLSearchParams();
  for (const field of byId("options").elements) {
    const value = field.type === "checkbox" ? (field.checked ? field.value : "") : field.value;
    if (value) query.set(field.name, value);
  }
  return query;
}

function take(files) {
  for (const file of files) {
    const card = add(byId("list"), "article"), stop = new AbortController();
    add(card, "h3", {}, file.name);
    const state = add(card, "p", {className: "soft"}, "waiting");
    state.setAttribute("role", "status");
    const bar = add(card, "progress", {max: 100});
    bar.setAttribute("aria-label", "progress of " + file.name);
    const row = add(card, "div", {className: "row"});
    const button = add(row, "button", {onclick: () => { stop.abort(); card.remove(); }}, "Cancel");
    queue.push({file, card, state, bar, row, button, stop, options: chosenOptions()});
  }
  sendNext();
}

async function sendNext() {
  while (sending < AT_ONCE && queue.length) {
    const job = queue.shift();
    if (job.stop.signal.aborted) continue;
    sending++;
    score(job).catch(error => {
      job.state.textContent = error.message;
      job.state.className = "bad";
      job.bar.remove();
      job.button.textContent = "Remove";
    }).finally(() => { sending--; sendNext(); });
  }
}

async function score(job) {
  const query = new URLSearchParams([...job.options, ["format", "stream"], ["name", job.file.name]]);
  let answer;
  for (;;) {
    job.state.textContent = "sending";
    answer = await fetch("predict?" + query, {
      method: "POST", body: job.file, signal: job.stop.signal, headers: {"Content-Type": "application/octet-stream"},
    }).catch(error => { throw new Error(error.name === "AbortError" ? "cancelled" : "the server does not answer; has it ended?"); });
    if (answer.status !== 503) break;
    job.state.textContent = await reason(answer);
    await wait(RETRY);
  }
  if (!answer.ok) throw new Error(await reason(answer));
  const {result, files} = await readStream(answer.body.getReader(), line => showProgress(job, line));
  job.bar.remove();
  showResult(job, result, files);
}

function showProgress(job, line) {
  if (line.error) throw new Error(line.error);
  const ahead = line.ahead ? `, ${line.ahead} before this one` : "";
  job.state.textContent = STAGES[line.stage] + ahead + (line.percent === undefined ? "" : ` (${line.percent} %)`);
  if (line.percent === undefined) job.bar.removeAttribute("value");
  else job.bar.value = line.percent;
}

// Read lines of JSON until one that lists files; the bytes of the files follow it.
async function readStream(reader, progress) {
  const text = new TextDecoder(), rest = [];
  let line = new Uint8Array(), last = null;
  for (;;) {
    const {value, done} = await reader.read();
    if (done) break;
    let chunk = value;
    while (!last && chunk.length) {
      const end = chunk.indexOf(10), part = end < 0 ? chunk : chunk.subarray(0, end);
      const joined = new Uint8Array(line.length + part.length);
      joined.set(line); joined.set(part, line.length);
      line = joined;
      chunk = end < 0 ? chunk.subarray(chunk.length) : chunk.subarray(end + 1);
      if (end < 0) continue;
      const message = JSON.parse(text.decode(line));
      line = new Uint8Array();
      if (message.files) last = message; else progress(message);
    }
    if (last && chunk.length) rest.push(chunk);
  }
  if (!last) throw new Error("the server has ended before the result");
  const all = new Blob(rest);
  let at = 0;
  const files = last.files.map(({name, bytes}) => ({name, blob: all.slice(at, at += bytes, TYPES[name.split(".").pop()])}));
  return {result: last.result, files};
}
const TYPES = {csv: "text/csv", mp4: "video/mp4", html: "text/html"};
const WORDS = {csv: "Table (CSV)", mp4: "Annotated video", html: "Timeline page"};

function showResult(job, result, files) {
  const face = result.faces[0], several = result.faces.length > 1 ? `${result.faces.length} faces; the first: ` : "";
  job.state.textContent = `${several}${face.label ? face.label + " on average" : "average"} over ${result.seconds.toFixed(1)} s`;
  const bars = add(job.card, "div", {className: "bars"});
  job.card.insertBefore(bars, job.row);
  showBars(bars, result.targets.map(name => face.scores[name]));
  const links = Object.fromEntries(files.map(({name, blob}) => [name.split(".").pop(), {name, url: URL.createObjectURL(blob), blob}]));
  const show = add(job.row, "button", {}, "Show the timeline");
  show.setAttribute("aria-expanded", "false");
  show.onclick = () => toggleTimeline(job, show, links);
  for (const [kind, {name, url}] of Object.entries(links))
    add(job.row, "a", {className: "button", href: url, download: name}, "Download: " + WORDS[kind]);
  job.button.textContent = "Remove";
  job.button.onclick = () => { for (const {url} of Object.values(links)) URL.revokeObjectURL(url); job.card.remove(); };
  job.row.append(job.button);
}

async function toggleTimeline(job, button, links) {
  const open = job.card.querySelector("iframe");
  button.setAttribute("aria-expanded", String(!open));
  button.textContent = open ? "Show the timeline" : "Hide the timeline";
  if (open) { open.remove(); return; }
  // The page of a long video names the annotated video beside it instead of holding it.
  const html = (await links.html.blob.text()).replace(`src="${encodeURIComponent(links.mp4.name)}"`, `src="${links.mp4.url}"`);
  const frame = add(job.card, "iframe", {title: "Timeline of " + job.file.name, src: URL.createObjectURL(new Blob([html], {type: "text/html"}))});
  frame.onload = () => {
    URL.revokeObjectURL(frame.src);
    const fit = () => { frame.style.height = frame.contentDocument.documentElement.scrollHeight + 20 + "px"; };
    new ResizeObserver(fit).observe(frame.contentDocument.body);
  };
}

const drop = byId("drop");
byId("files").onchange = event => { take(event.target.files); event.target.value = ""; };
addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", event => { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files); });

// --- Camera -----------------------------------------------------------------------------------

let camera = null; // {name, stream, video}
const canvas = byId("picture"), pen = canvas.getContext("2d");

function say(text, bad = false) {
  byId("camera-state").textContent = text;
  byId("camera-state").className = bad ? "bad" : "soft";
}

byId("camera").onclick = () => camera ? stopCamera() : startCamera().catch(error => { stopCamera(); say(error.message, true); });

async function startCamera() {
  if (!navigator.mediaDevices)
    throw new Error("Browsers give a page the camera only from this machine or over https. From another machine, use an SSH tunnel: ssh -L 8000:localhost:8000 SERVER");
  say("waiting for your permission");
  const stream = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}, height: {ideal: 480}, facingMode: "user"}})
    .catch(error => { throw new Error("The browser gives no camera: " + error.message); });
  const video = Object.assign(document.createElement("video"), {srcObject: stream, muted: true, playsInline: true});
  camera = {name: crypto.randomUUID(), stream, video};
  byId("camera").textContent = "Stop the camera";
  byId("camera").setAttribute("aria-pressed", "true");
  await video.play();
  byId("screen").hidden = false;
  say("loading the model for the camera ...");
  await followCamera(camera);
}

function stopCamera() {
  if (!camera) return;
  camera.stream.getTracks().forEach(track => track.stop());
  fetch("live?camera=" + camera.name, {method: "DELETE", keepalive: true}).catch(() => {});
  camera = null;
  byId("screen").hidden = true;
  byId("latency").textContent = "";
  byId("camera").textContent = "Start the camera";
  byId("camera").setAttribute("aria-pressed", "false");
  say("");
}
addEventListener("pagehide", stopCamera);

// Send a picture as soon as the last one is answered: that is the rate of the server.
async function followCamera(own) {
  const times = [];
  let scored = null, delay = null;
  while (camera === own) {
    const picture = grab(own.video), taken = performance.now() / 1000;
    const jpeg = await new Promise(done => picture.toBlob(done, "image/jpeg", 0.9));
    if (camera !== own) return; // a picture after its camera's end would begin the camera anew
    const answer = await fetch(`live?camera=${own.name}&taken=${taken}`, {method: "POST", body: jpeg, headers: {"Content-Type": "image/jpeg"}})
      .catch(() => { throw new Error("The server does not answer; has it ended?"); });
    if (camera !== own) return;
    if (!answer.ok) throw new Error(await reason(answer));
    const seen = await answer.json(), now = performance.now() / 1000;
    if (seen.end !== null && seen.end !== scored) { scored = seen.end; delay = now - seen.end; }
    times.push(now);
    if (times.length > 20) times.shift();
    draw(picture, seen);
    showLatency(seen, times, now - taken, delay);
  }
}

function grab(video) {
  const shrink = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  const picture = document.createElement("canvas");
  picture.width = Math.round(video.videoWidth * shrink);
  picture.height = Math.round(video.videoHeight * shrink);
  picture.getContext("2d").drawImage(video, 0, 0, picture.width, picture.height);
  return picture;
}

// Draw the picture that was scored, so that box and face fit.
function draw(picture, seen) {
  const {width, height} = picture, best = seen.scores ? seen.scores.indexOf(Math.max(...seen.scores)) : -1;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  pen.drawImage(picture, 0, 0);
  showBars(byId("bars"), seen.scores);
  if (!seen.corners) return;
  const [a, b, c] = seen.corners.map(([x, y]) => [x * width, y * height]);
  const classes = model.task === "classification" && best >= 0;
  pen.strokeStyle = classes ? model.colours[best] : "#fff";
  pen.lineWidth = Math.max(2, height / 160);
  pen.beginPath();
  [a, b, [b[0] + c[0] - a[0], b[1] + c[1] - a[1]], c].forEach(corner => pen.lineTo(...corner));
  pen.closePath();
  pen.stroke();
  if (!classes) return;
  const text = `${model.targets[best]} ${format(seen.scores[best])}`, size = Math.max(14, height / 22);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const left = Math.max(0, Math.min(a[0], c[0])), top = Math.max(size * 1.4, Math.min(a[1], b[1]));
  pen.fillStyle = model.colours[best];
  pen.fillRect(left, top - size * 1.4, pen.measureText(text).width + size, size * 1.4);
  pen.fillStyle = "#000";
  pen.fillText(text, left + size / 2, top - size * 0.4);
}

function showLatency(seen, times, box, delay) {
  if (seen.window === null) return say("measuring the rate of the pictures ...");
  say(seen.corners ? (seen.scores ? "" : `the first window lasts ${seen.window.toFixed(1)} s ...`) : "no face in the picture");
  const rate = times.length > 1 ? (times.length - 1) / (times[times.length - 1] - times[0]) : 0;
  byId("latency").textContent = `${rate.toFixed(0)} pictures/s; the box comes ${Math.round(1000 * box)} ms after its picture`
    + (delay === null ? "" : `; scores come ${delay.toFixed(2)} s after the last picture of their window of ${seen.window.toFixed(2)} s`);
}

// --- Facts ------------------------------------------------------------------------------------

fetch("model").then(answer => answer.json()).then(facts => {
  model = facts;
  byId("about").textContent = `Model: ${facts.model}. It ${facts.task === "classification" ? "gives a probability for" : "rates"}: ${facts.targets.join(", ")}.`;
  byId("limits").textContent = `up to ${facts.limits.megabytes} MB and ${facts.limits.seconds} s each`;
  byId("notice").hidden = !facts.notice;
  byId("notice").textContent = facts.notice;
}).catch(() => { byId("about").textContent = "The server does not answer; has it ended?"; });
