// Decodes, draws and encodes a video by WebCodecs; demuxing and muxing is mediabunny's.

import {
  ALL_FORMATS, EncodedAudioPacketSource, EncodedPacketSink, Input, Mp4OutputFormat, Output, StreamTarget, UrlSource,
  VideoSample, VideoSampleSink, VideoSampleSource,
} from './mediabunny.mjs';
import { drawGround, outlineOf, placeRecording } from './scene.mjs';

/** Seconds between key frames, as the pipeline's default is. */
const KEY_FRAME_INTERVAL_S = 2;
/** How often the driver is told how far it is. */
const REPORT_EVERY = 10;

/** Where the file goes: each piece to its place, by the driver. */
function outputStream() {
  return new WritableStream({
    async write({ data, position }) {
      const answer = await fetch(`output?at=${position}`, { method: 'PUT', body: data });
      if (!answer.ok) throw new Error(`the output cannot be written: ${answer.status} ${await answer.text()}`);
    },
  });
}

/** Packets of the sound as they are: Chromium has no encoder for AAC on every system. */
async function copySound(track, source) {
  const decoderConfig = await track.getDecoderConfig();
  let isFirst = true;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    await source.add(packet, isFirst ? { decoderConfig } : undefined);
    isFirst = false;
  }
  source.close();
}

async function drawPictures(track, source, settings) {
  const { look, width, height } = settings;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false });
  const recording = { width: await track.getDisplayWidth(), height: await track.getDisplayHeight() };
  const place = placeRecording(look, canvas, recording);
  const ground = drawGround(look, canvas, place), outline = outlineOf(look, canvas, place);
  let count = 0;
  for await (const sample of new VideoSampleSink(track).samples()) {
    if (ground) context.drawImage(ground, 0, 0);
    context.save();
    if (look.roundingPx) context.clip(outline);
    sample.draw(context, place.left, place.top, place.width, place.height);
    context.restore();
    const drawn = new VideoSample(canvas, { timestamp: sample.timestamp, duration: sample.duration });
    sample.close();
    await source.add(drawn); // waits while the encoder is busy
    drawn.close();
    count += 1;
    if (count % REPORT_EVERY === 0) window.reportFrame(count);
  }
  source.close();
  return count;
}

/** Export `source` of this address; resolves with the number of frames when all of the output is sent. */
window.exportVideo = async function exportVideo(settings) {
  const input = new Input({ source: new UrlSource(new URL('source', document.baseURI)), formats: ALL_FORMATS });
  const picture = await input.getPrimaryVideoTrack(), sound = await input.getPrimaryAudioTrack();
  if (!picture) throw new Error('the source has no video');
  if (!(await picture.canDecode())) throw new Error(`this browser cannot decode the source's ${await picture.getCodec()}`);
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: false }), target: new StreamTarget(outputStream(), { chunked: true }) });
  const pictures = new VideoSampleSource({
    codec: settings.codec, bitrate: settings.bitrate, keyFrameInterval: KEY_FRAME_INTERVAL_S,
  });
  output.addVideoTrack(pictures);
  const packets = sound && new EncodedAudioPacketSource(await sound.getCodec());
  if (packets) output.addAudioTrack(packets);
  await output.start();
  const [count] = await Promise.all([drawPictures(picture, pictures, settings), packets && copySound(sound, packets)]);
  await output.finalize();
  return count;
};
