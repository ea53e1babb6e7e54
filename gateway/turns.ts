/** Lets a few work at the same time. The others wait in line; a caller that has gone leaves it. */
export class Turns {
  #free: number;
  #waiting: Array<() => void> = [];

  constructor(atTheSameTime: number) {
    this.#free = atTheSameTime;
  }

  /** Resolves with the function that ends the turn. Rejects with the reason of `gone` when that aborts first. */
  async take(gone: AbortSignal): Promise<() => void> {
    gone.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(gone);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }

  #wait(gone: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(gone.reason);
      };
      const go = (): void => {
        gone.removeEventListener('abort', leave);
        resolve();
      };
      gone.addEventListener('abort', leave, { once: true });
      this.#waiting.push(go);
    });
  }
}
