// The workers whose prefixes were seen, each with a colour of its own while there are enough. Pure.

export const COLOURS = 8;
const MOST = 10_000;

function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return value;
}

export class Workers {
  constructor() {
    this.clear();
  }

  clear() {
    this.list = []; // {name, colour, lines}
    this.ids = new Map();
    this.taken = new Array(COLOURS).fill(0);
  }

  // The number of a worker, or -1 where there are too many. The colour comes from the name, so that
  // it is the same after a reload, unless another one has it.
  id(name) {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    if (this.list.length >= MOST) return -1;
    let colour = hash(name) % COLOURS;
    const least = Math.min(...this.taken);
    while (this.taken[colour] > least) colour = (colour + 1) % COLOURS;
    this.taken[colour] += 1;
    this.list.push({ name, colour, lines: 0 });
    this.ids.set(name, this.list.length - 1);
    return this.list.length - 1;
  }
}
