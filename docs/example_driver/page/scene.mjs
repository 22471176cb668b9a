// Background, shadow and rounded recording of a scene, on a 2D canvas. What does not move is drawn once.

/** Lengths of a scene are pixels of a canvas that many lines high. */
const REFERENCE_LINES = 1080;

/** Where the recording lies: as large as fits, aspect kept, even sides. */
export function placeRecording(look, canvas, recording) {
  const free = 2 * look.padding * Math.min(canvas.width, canvas.height);
  const scale = Math.min((canvas.width - free) / recording.width, (canvas.height - free) / recording.height);
  const width = scale * recording.width, height = scale * recording.height;
  return { left: (canvas.width - width) / 2, top: (canvas.height - height) / 2, width, height };
}

/** Everything behind the recording as one picture; null where the recording covers the canvas. */
export function drawGround(look, canvas, place) {
  if (place.width >= canvas.width && place.height >= canvas.height && !look.roundingPx) return null;
  const ground = new OffscreenCanvas(canvas.width, canvas.height);
  const context = ground.getContext('2d', { alpha: false });
  context.fillStyle = look.gradient ? gradientOf(look, canvas, context) : look.colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (look.shadow) castShadow(look, canvas, place, context);
  return ground;
}

/** Path of the recording with its rounded corners. */
export function outlineOf(look, canvas, place) {
  const outline = new Path2D();
  outline.roundRect(place.left, place.top, place.width, place.height, radiusOf(look, canvas, place));
  return outline;
}

function radiusOf(look, canvas, place) {
  return Math.min(look.roundingPx * canvas.height / REFERENCE_LINES, place.width / 2, place.height / 2);
}

/** As in CSS Images 3: the line's ends are level with the corners. */
function gradientOf(look, canvas, context) {
  const angle = look.angleDegrees * Math.PI / 180;
  const across = Math.sin(angle), down = -Math.cos(angle);
  const half = (Math.abs(canvas.width * across) + Math.abs(canvas.height * down)) / 2;
  const x = canvas.width / 2, y = canvas.height / 2;
  const gradient = context.createLinearGradient(
    x - half * across, y - half * down, x + half * across, y + half * down);
  look.gradient.forEach((colour, place) => gradient.addColorStop(place, colour));
  return gradient;
}

/** A soft shadow by the distance from the outline; a canvas's own shadow is a Gaussian, which has another shape. */
function castShadow(look, canvas, place, context) {
  const unit = canvas.height / REFERENCE_LINES, blur = look.shadow.blurPx * unit;
  const radius = radiusOf(look, canvas, place);
  const middleX = place.left + place.width / 2 + look.shadow.offsetPx[0] * unit;
  const middleY = place.top + place.height / 2 + look.shadow.offsetPx[1] * unit;
  const picture = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let row = 0, at = 0; row < canvas.height; row++) {
    const beyondY = Math.abs(row + 0.5 - middleY) - place.height / 2;
    for (let column = 0; column < canvas.width; column++, at += 4) {
      const beyondX = Math.abs(column + 0.5 - middleX) - place.width / 2;
      const corner = Math.hypot(Math.max(beyondX + radius, 0), Math.max(beyondY + radius, 0)) - radius;
      const distance = beyondX > -radius && beyondY > -radius ? corner : Math.max(beyondX, beyondY);
      const t = Math.min(Math.max((distance + blur) / (2 * blur), 0), 1);
      const light = 1 - look.shadow.opacity * (1 - t * t * (3 - 2 * t));
      for (let channel = 0; channel < 3; channel++) picture.data[at + channel] *= light;
    }
  }
  context.putImageData(picture, 0, 0);
}
