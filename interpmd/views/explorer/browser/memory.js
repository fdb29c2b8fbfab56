// Answers that came. Whole ones are kept up to a limit, so that long films do not fill the browser's
// memory; what the time line needs is kept of all.

// bars, lines and cells of the whole answers that are kept; some 100 megabytes at most
const ROOM = 500_000;
// bars of each answer that the time line can show
const BRIEF = 40;

class Answers {
  constructor(room = ROOM) {
    this.room = room;
    this.books = new Map();
    this.queue = new Map();
    this.weight = 0;
  }

  // the answers to one question by frame: `whole`, and `brief` for the time line
  book(key) {
    if (!this.books.has(key)) this.books.set(key, { whole: new Map(), brief: new Map() });
    return this.books.get(key);
  }

  add(key, answer) {
    const book = this.book(key);
    const mark = `${key} ${answer.frame}`;
    if (this.queue.has(mark)) this.drop(mark);
    const weight = answer.bars.length + answer.lines.length + answer.pairs.cells.length;
    book.whole.set(answer.frame, answer);
    book.brief.set(answer.frame, { total: answer.total, all: answer.bars.length <= BRIEF,
      bars: new Map(answer.bars.slice(0, BRIEF).map((bar) => [bar.key, bar.value])) });
    this.queue.set(mark, { book, frame: answer.frame, weight });
    this.weight += weight;
    for (const oldest of this.queue.keys()) {
      if (this.weight <= this.room || this.queue.size < 2) break;
      this.drop(oldest);
    }
  }

  drop(mark) {
    const { book, frame, weight } = this.queue.get(mark);
    this.queue.delete(mark);
    this.weight -= weight;
    book.whole.delete(frame);
  }
}
