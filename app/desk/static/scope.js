// A spectrogram that scrolls: a ring of columns, drawn in two pieces.

const COLUMNS = 480;

function palette(stops) {
  const table = new Uint8ClampedArray(256 * 4);
  for (let n = 0; n < 256; n++) {
    const x = (n / 255) * (stops.length - 1), low = Math.min(Math.floor(x), stops.length - 2), share = x - low;
    for (let c = 0; c < 3; c++) table[4 * n + c] = stops[low][c] * (1 - share) + stops[low + 1][c] * share;
    table[4 * n + 3] = 255;
  }
  return table;
}

export const COOL = palette([[10, 11, 12], [16, 32, 40], [28, 82, 88], [82, 168, 160], [214, 244, 230]]);
export const WARM = palette([[10, 11, 12], [40, 24, 22], [122, 62, 30], [224, 162, 75], [255, 244, 214]]);

export class Scope {
  constructor(canvas, colours) {
    this.canvas = canvas;
    this.colours = colours;
    this.next = 0;
    this.dirty = true;
  }

  /** Take in columns of `bands` shades each, the lowest band first. */
  add(shades, count, bands) {
    if (!this.ring || this.ring.height !== bands) {
      this.ring = new OffscreenCanvas(COLUMNS, bands);
      this.paint = this.ring.getContext("2d");
      this.paint.fillStyle = "#0a0b0c";
      this.paint.fillRect(0, 0, COLUMNS, bands);
      this.column = this.paint.createImageData(1, bands);
    }
    for (let n = 0; n < count; n++) {
      const pixels = this.column.data;
      for (let band = 0; band < bands; band++) {
        const from = 4 * shades[n * bands + band], to = 4 * (bands - 1 - band);
        for (let c = 0; c < 4; c++) pixels[to + c] = this.colours[from + c];
      }
      this.paint.putImageData(this.column, this.next, 0);
      this.next = (this.next + 1) % COLUMNS;
    }
    this.dirty = true;
  }

  draw() {
    if (!this.dirty || !this.ring) return;
    this.dirty = false;
    const canvas = this.canvas, scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const view = canvas.getContext("2d");
    view.imageSmoothingEnabled = true;
    view.imageSmoothingQuality = "high";
    // The oldest column is the next to be overwritten.
    const older = COLUMNS - this.next, split = (width * older) / COLUMNS, bands = this.ring.height;
    view.drawImage(this.ring, this.next, 0, older, bands, 0, 0, split, height);
    if (this.next) view.drawImage(this.ring, 0, 0, this.next, bands, split, 0, width - split, height);
  }
}
