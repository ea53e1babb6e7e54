/** Which calls may run. Nothing is taken before a call has arrived whole: a request that is half sent costs no turn. */
import { groupsOf } from './addresses.ts';

interface TurnLimits {
  total: number;
  perAddress: number;
}

export interface Turns {
  /**
   * Counts a body that is being received. When one address has too many of them, the one that began first is given up:
   * `giveUp` is called, and its client gets 429. Call the result when the body has arrived or ended.
   */
  receive(address: string, giveUp: () => void): () => void;
  /** A function that gives the turn back, or the status of the refusal. */
  take(address: string): (() => void) | 429 | 503;
  running(): number;
  /** How many addresses and networks are remembered. */
  remembered(): number;
  refused(): { address: number; full: number };
}

interface Place {
  running: number;
  receiving: Set<() => void>;
}

export function countTurns({ total, perAddress }: TurnLimits): Turns {
  const places = new Map<string, Place>();
  const refused = { address: 0, full: 0 };
  let running = 0;

  const placesOf = (address: string) =>
    groupsOf(address).map(({ group, factor }) => {
      const place = places.get(group) ?? { running: 0, receiving: new Set() };
      places.set(group, place);
      return { group, most: perAddress * factor, place };
    });
  const tidy = (taken: ReturnType<typeof placesOf>) => {
    for (const { group, place } of taken) {
      if (place.running === 0 && place.receiving.size === 0) places.delete(group);
    }
  };

  return {
    receive(address, giveUp) {
      const taken = placesOf(address);
      for (const { place, most } of taken) {
        const [first] = place.receiving.size >= most ? place.receiving : [];
        place.receiving.add(giveUp);
        if (!first) continue;
        refused.address += 1;
        place.receiving.delete(first);
        first();
      }
      return () => {
        for (const { place } of taken) place.receiving.delete(giveUp);
        tidy(taken);
      };
    },
    take(address) {
      const taken = placesOf(address);
      if (taken.some(({ place, most }) => place.running >= most)) {
        refused.address += 1;
        tidy(taken);
        return 429;
      }
      if (running >= total) {
        refused.full += 1;
        tidy(taken);
        return 503;
      }
      running += 1;
      for (const { place } of taken) place.running += 1;
      return () => {
        running -= 1;
        for (const { place } of taken) place.running -= 1;
        tidy(taken);
      };
    },
    running: () => running,
    remembered: () => places.size,
    refused: () => ({ ...refused }),
  };
}
