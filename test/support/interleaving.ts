import type { GatewayFault } from '../../gateway/faults.ts';

/** Longer than a request takes on a busy machine. */
const STALL_MS = 2000;

type Release = (fault?: GatewayFault) => void;

/** Small and well spread: the same seed gives the same run. */
function seededRandom(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Runs actors one at a time, from switch point to switch point, in an order that the seed decides. Every request to
 * Redis has two switch points (before it is served, before its answer is returned); `turn()` adds others.
 */
export class Interleaving {
  readonly random: () => number;
  /** Share of requests whose connection is lost, before or after they are served. */
  faultShare = 0;
  private readonly waiting: Array<{ release: Release; faulty: boolean }> = [];
  private moved: () => void = () => {};
  private free = false;

  constructor(
    seed: number,
    private readonly ended: () => void,
  ) {
    this.random = seededRandom(seed);
  }

  turn(faulty = false): Promise<GatewayFault | undefined> {
    if (this.free) return Promise.resolve(undefined);
    return new Promise((release) => {
      this.waiting.push({ release, faulty });
      this.moved();
    });
  }

  hold(): GatewayFault {
    return { kind: 'hold', before: () => this.turn(true), after: async () => void (await this.turn()) };
  }

  /** Runs until all have finished. Throws what an actor throws. */
  async run(actors: ReadonlyArray<() => Promise<void>>): Promise<void> {
    let left = actors.length;
    const failures: unknown[] = [];
    for (const actor of actors) {
      await this.oneMoves(() => {
        actor()
          .catch((error) => failures.push(error))
          .finally(() => {
            left--;
            this.moved();
          });
      });
    }
    while (left > 0) {
      const [next] = this.waiting.splice(Math.floor(this.random() * this.waiting.length), 1);
      // None waits: an actor that had to wait for another one is on its way to its next switch point.
      await this.oneMoves(() => next?.release(next.faulty ? this.drawFault() : undefined));
    }
    this.free = true;
    this.ended();
    if (failures.length > 0) throw failures[0];
  }

  private drawFault(): GatewayFault | undefined {
    if (this.random() >= this.faultShare) return undefined;
    return { kind: this.random() < 0.5 ? 'drop-before' : 'drop-after' };
  }

  /**
   * Until the actor that was started has stopped at its next switch point. An actor that waits for what another one has
   * begun, as for a row lock, does not get there before the other one has moved: then it is the other one's turn.
   */
  private async oneMoves(start: () => void): Promise<void> {
    let stall: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.moved = resolve;
      stall = setTimeout(() => (this.waiting.length > 0 ? resolve() : stall?.refresh()), STALL_MS);
      start();
    });
    clearTimeout(stall);
  }
}
