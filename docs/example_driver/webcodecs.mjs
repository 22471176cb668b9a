#!/usr/bin/env node
// Drives a page in headless Chromium that exports a video by WebCodecs, and says when its export begins.
//
//   webcodecs.mjs --source IN --output OUT --width W --height H [--scene NAME|FILE] [--bitrate N] [--codec avc|vp9|av1]
//                 [--browser PATH] [--gpu]
//
// What a driver owes capbench: a line `capbench: begin` when the export begins, the output under its name only when it is
// complete, exit code 0 then, and one line on stderr otherwise. Starting the browser and loading the page come before the
// begin. Nothing is fetched from a network: the page and the source come from a server on the loopback interface.

import { createReadStream, existsSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const SCENES = join(HERE, '..', '..', 'matrix', 'scenes');
const BROWSERS = [
  '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];
/** Of a part of the output: the page sends a few megabytes at a time. */
const MOST_PART_BYTES = 64 * 2 ** 20;
/** Between two reports of the page, which are ten frames apart. A page that hangs longer has failed. */
const STALL_MS = 60_000;

class Refusal extends Error {}

const LAYERS = new Set(['background', 'display']);

/** What of a scene the page draws; refuses what it cannot, so that it is never timed for less than it was asked. */
async function readLook(scene, parseToml) {
  const file = existsSync(scene) && scene.endsWith('.toml') ? scene : join(SCENES, `${scene}.toml`);
  if (!existsSync(file)) throw new Refusal(`no scene ${scene}: ${file} is not there`);
  const found = parseToml(await readFile(file, 'utf8'));
  const { background = {}, display = {} } = found;
  const unknown = [
    ...Object.keys(found).filter((name) => !LAYERS.has(name)),
    ...['image', 'blur_px'].filter((name) => name in background).map((name) => `background.${name}`),
    ...['crop', 'border'].filter((name) => name in display).map((name) => `display.${name}`),
  ];
  if (unknown.length) throw new Refusal(`cannot draw ${unknown.join(', ')} of scene ${scene}`);
  return {
    colour: background.colour ?? '#000000',
    gradient: background.gradient ?? null,
    angleDegrees: background.angle_degrees ?? 90,
    padding: display.padding ?? 0,
    roundingPx: display.rounding_px ?? 0,
    shadow: display.shadow && {
      opacity: display.shadow.opacity ?? 0.4,
      blurPx: display.shadow.blur_px ?? 40,
      offsetPx: display.shadow.offset_px ?? [0, 12],
    },
  };
}

/** The page, its modules and the source under an address that nobody else knows; the output's parts are put there too. */
async function serve(source, part) {
  const secret = randomUUID();
  const files = new Map([
    ['', [join(HERE, 'page', 'index.html'), 'text/html']],
    ['exporter.mjs', [join(HERE, 'page', 'exporter.mjs'), 'text/javascript']],
    ['scene.mjs', [join(HERE, 'page', 'scene.mjs'), 'text/javascript']],
    ['mediabunny.mjs', [join(HERE, 'node_modules', 'mediabunny', 'dist', 'bundles', 'mediabunny.mjs'), 'text/javascript']],
  ]);
  const { size } = await stat(source);

  function sendSource(request, response) {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const first = range ? Number(range[1]) : 0;
    const last = range && range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    if (first >= size || first > last) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    const headers = { 'content-length': last - first + 1, 'accept-ranges': 'bytes', 'content-type': 'video/mp4' };
    if (range) headers['content-range'] = `bytes ${first}-${last}/${size}`;
    response.writeHead(range ? 206 : 200, headers);
    createReadStream(source, { start: first, end: last }).on('error', () => response.destroy()).pipe(response);
  }

  async function takePart(request, response, at) {
    const pieces = [];
    let length = 0;
    for await (const piece of request) {
      length += piece.length;
      if (length > MOST_PART_BYTES) return response.writeHead(413).end();
      pieces.push(piece);
    }
    const bytes = Buffer.concat(pieces);
    await part.write(bytes, 0, bytes.length, at);
    return response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (!url.pathname.startsWith(`/${secret}/`)) return response.writeHead(404).end();
    const name = url.pathname.slice(secret.length + 2);
    const at = Number(url.searchParams.get('at'));
    if (name === 'output' && request.method === 'PUT' && Number.isSafeInteger(at) && at >= 0) {
      return takePart(request, response, at).catch((error) => response.writeHead(500).end(String(error.message)));
    }
    if (name === 'source') return sendSource(request, response);
    if (!files.has(name)) return response.writeHead(404).end();
    const [file, type] = files.get(name);
    response.setHeader('content-type', type);
    return createReadStream(file).on('error', () => response.writeHead(404).end()).pipe(response);
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${server.address().port}/${secret}/`, close: () => server.close() };
}

function browserArguments(usesGpu) {
  return [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // Chromium's sandbox does not start for root
    ...(usesGpu ? [] : ['--disable-gpu']),
    '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--no-proxy-server',
  ];
}

/** Resolves when the page is done; rejects when it fails, or says nothing for too long. */
async function exportOn(page, settings) {
  let last = Date.now();
  await page.exposeFunction('reportFrame', (count) => {
    last = Date.now();
    process.stdout.write(`frame=${count}\n`);
  });
  let timer;
  const stalled = new Promise((_, reject) => {
    timer = setInterval(() => {
      if (Date.now() - last > STALL_MS) reject(new Refusal(`the page reported no progress for ${STALL_MS / 1000} s`));
    }, 1000);
  });
  try {
    process.stdout.write('capbench: begin\n');
    return await Promise.race([page.evaluate((given) => window.exportVideo(given), settings), stalled]);
  } finally {
    clearInterval(timer);
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      source: { type: 'string' }, output: { type: 'string' }, scene: { type: 'string', default: 'bare' },
      width: { type: 'string' }, height: { type: 'string' }, bitrate: { type: 'string', default: '12000000' },
      codec: { type: 'string', default: 'avc' }, browser: { type: 'string' }, gpu: { type: 'boolean', default: false },
    },
  });
  for (const name of ['source', 'output', 'width', 'height']) {
    if (!values[name]) throw new Refusal(`--${name} is missing`);
  }
  const browserPath = values.browser ?? process.env.CHROMIUM ?? BROWSERS.find(existsSync);
  if (!browserPath) throw new Refusal('no Chromium found; name one with --browser or in CHROMIUM');
  let chromium, parse;
  try {
    ({ chromium } = await import('playwright-core'));
    ({ parse } = await import('smol-toml'));
  } catch {
    throw new Refusal(`its packages are not installed; run: npm ci --prefix ${HERE}`);
  }
  const look = await readLook(values.scene, parse);
  const partial = `${values.output}.part`;
  const part = await open(partial, 'w');
  const server = await serve(values.source, part);
  let browser;
  try {
    browser = await chromium.launch({ executablePath: browserPath, headless: true, args: browserArguments(values.gpu) });
    const page = await browser.newPage();
    await page.goto(server.address);
    await page.waitForFunction(() => window.exportVideo !== undefined);
    await exportOn(page, {
      look, codec: values.codec, bitrate: Number(values.bitrate),
      width: Number(values.width), height: Number(values.height),
    });
    await part.close();
    await rename(partial, values.output); // the export ends here
  } finally {
    await browser?.close();
    server.close();
    await part.close().catch(() => {}); // closed already where all went well
    await rm(partial, { force: true });
  }
}

main().catch((error) => {
  const line = String(error.message ?? error).split('\n')[0].replace(/^page\.evaluate: (Error: )?/, '');
  process.stderr.write(`webcodecs: ${line}\n`);
  process.exitCode = 1;
});
