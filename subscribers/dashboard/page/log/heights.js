// Heights of many things one below another: the sum before any, and which one lies at an offset,
// in logarithmic time (a Fenwick tree). Pure.

export class Heights {
  constructor() {
    this.reset([]);
  }

  reset(values) {
    this.length = values.length;
    let room = 1;
    while (room < this.length) room *= 2;
    this.room = room;
    this.values = new Float64Array(room);
    this.tree = new Float64Array(room + 1);
    for (let i = 0; i < this.length; i += 1) this.values[i] = values[i];
    for (let i = 1; i <= room; i += 1) {
      this.tree[i] += this.values[i - 1];
      const parent = i + (i & -i);
      if (parent <= room) this.tree[parent] += this.tree[i];
    }
  }

  get(index) {
    return this.values[index];
  }

  set(index, value) {
    if (index >= this.length) this.grow(index + 1);
    const change = value - this.values[index];
    if (change === 0) return;
    this.values[index] = value;
    for (let i = index + 1; i <= this.room; i += i & -i) this.tree[i] += change;
  }

  grow(length) {
    if (length > this.room) {
      const values = Array.from(this.values.subarray(0, this.length));
      while (values.length < length) values.push(0);
      this.reset(values);
    }
    this.length = length;
  }

  // The sum of all before `index`.
  before(index) {
    let sum = 0;
    for (let i = Math.min(index, this.length); i > 0; i -= i & -i) sum += this.tree[i];
    return sum;
  }

  get total() {
    return this.before(this.length);
  }

  // The index of the one that holds `offset`; the last one with a height for what is beyond.
  at(offset) {
    let index = 0;
    let rest = offset;
    for (let step = this.room; step > 0; step >>= 1) {
      if (index + step <= this.room && this.tree[index + step] <= rest) {
        index += step;
        rest -= this.tree[index];
      }
    }
    if (index < this.length) return index;
    for (index = this.length - 1; index > 0 && this.values[index] === 0; ) index -= 1;
    return Math.max(0, index);
  }
}
