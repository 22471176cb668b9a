// Export a clip by an encoder for JavaScript as its documentation shows it:
//
//   node run_node_encoder.cjs LIBRARY SOURCE OUTPUT
//
// LIBRARY is h264-mp4-encoder or webcodecs, found in the folder that CAPBENCH_NODE_MODULES names. Both are given pictures
// by FFmpeg and know no sound here: FFmpeg adds that of the source, and copies the pictures.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const MOST_BYTES = 2 ** 30;
const [library, source, output] = process.argv.slice(2);
const suffix = path.extname(output);

function load(name) {
  return require(path.resolve(process.env.CAPBENCH_NODE_MODULES, name));
}

function run(program, ...words) {
  return execFileSync(program, words, { maxBuffer: MOST_BYTES, stdio: ["ignore", "pipe", "inherit"] });
}

// Pictures of 4:2:0, and when each is shown in seconds since the file begins.
function decoded() {
  const entries = "format=start_time:stream=width,height,r_frame_rate:frame=best_effort_timestamp_time";
  const ask = ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", source];
  const found = JSON.parse(run("ffprobe", ...ask));
  const { width, height, r_frame_rate: rate } = found.streams[0];
  const [numerator, denominator] = rate.split("/").map(Number);
  const start = Number(found.format.start_time);
  const timesS = found.frames.map((frame) => Number(frame.best_effort_timestamp_time) - start);
  const keep = ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"];
  const raw = run("ffmpeg", "-v", "error", "-i", source, ...keep);
  const bytes = (width * height * 3) / 2;
  const pictures = timesS.map((_, n) => new Uint8Array(raw.subarray(n * bytes, (n + 1) * bytes)));
  return { width, height, rate: numerator / denominator, timesS, pictures };
}

function withSound(video) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "node-encoder-"));
  try {
    const silent = path.join(folder, "silent.mp4");
    fs.writeFileSync(silent, video);
    const sound = suffix === ".mkv" ? ["flac"] : ["aac", "-b:a", "192k"];
    const both = ["-i", silent, "-i", source, "-map", "0:v", "-map", "1:a?", "-c:v", "copy", "-c:a", ...sound];
    run("ffmpeg", "-v", "error", "-y", ...both, output);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

async function byMinih264() {
  const { width, height, rate, pictures } = decoded();
  const encoder = await load("h264-mp4-encoder").createH264MP4Encoder();
  Object.assign(encoder, { width, height, frameRate: rate, quantizationParameter: 16, speed: 5 });
  encoder.initialize();
  for (const picture of pictures) encoder.addFrameYuv(picture);
  encoder.finalize();
  withSound(encoder.FS.readFile(encoder.outputFilename));
}

async function byWebCodecs() {
  const { VideoEncoder, VideoFrame, Mp4Muxer } = load("@napi-rs/webcodecs");
  const { width, height, rate, timesS, pictures } = decoded();
  const codec = "avc1.640028";
  const muxer = new Mp4Muxer();
  muxer.addVideoTrack({ codec, width, height });
  let failed = null;
  const encoder = new VideoEncoder({
    output: (chunk, metadata) => muxer.addVideoChunk(chunk, metadata),
    error: (error) => {
      failed = error;
    },
  });
  encoder.configure({ codec, width, height, framerate: rate, bitrate: 12_000_000, latencyMode: "realtime" });
  for (const [n, picture] of pictures.entries()) {
    const until = n + 1 < timesS.length ? timesS[n + 1] : timesS[n] + 1 / rate;
    const frame = new VideoFrame(picture, {
      format: "I420",
      codedWidth: width,
      codedHeight: height,
      timestamp: Math.round(1e6 * timesS[n]),
      duration: Math.round(1e6 * (until - timesS[n])),
    });
    encoder.encode(frame, { keyFrame: n % 60 === 0 });
    frame.close();
  }
  await encoder.flush();
  if (failed) throw failed;
  muxer.flush();
  withSound(muxer.finalize());
}

const LIBRARIES = { "h264-mp4-encoder": byMinih264, webcodecs: byWebCodecs };

Promise.resolve()
  .then(LIBRARIES[library])
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
