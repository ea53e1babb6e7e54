/** What is known of one open connection, and which of several is closed for a new one. */
import type { Socket } from 'node:net';

export interface Tracked {
  key: string;
  socket: Socket;
  groups: Group[];
  /** Requests that arrived whole and whose answers are not sent yet. */
  calls: number;
  /** Answers that are written and not taken yet. */
  untaken: number;
  /** When it connected, or when its last answer was sent. */
  progressAt: number;
  /** undefined: no answer waits to be taken by the client. */
  answeredAt: number | undefined;
  /** Its last answer is written. The rest of the request is read only so that the client can read the answer. */
  closing: boolean;
  /** More bytes than these: a part of a request has arrived. */
  bytesAtRest: number;
}

export interface Group {
  most: number;
  members: Set<Tracked>;
}

/** One request of a connection. */
export interface Visit {
  /** The request arrived whole: its connection stays open until it is answered. */
  arrived(): void;
  /** The answer is written. `last`: the connection closes after it. */
  answered(last: boolean): void;
  /** The answer was sent, or given up. */
  end(): void;
}

/** undefined: the connection was closed in the meantime. */
export function beginVisit(tracked: Tracked | undefined): Visit {
  let arrived = 0;
  let untaken = 0;
  return {
    arrived() {
      if (!tracked || arrived > 0) return;
      arrived = 1;
      tracked.calls += 1;
    },
    answered(last) {
      if (!tracked || untaken > 0) return;
      untaken = 1;
      tracked.untaken += 1;
      tracked.answeredAt ??= performance.now();
      tracked.closing ||= last;
    },
    end() {
      if (!tracked) return;
      tracked.calls -= arrived;
      tracked.untaken -= untaken;
      tracked.progressAt = performance.now();
      tracked.answeredAt = tracked.untaken > 0 ? tracked.progressAt : undefined;
      tracked.bytesAtRest = tracked.socket.bytesRead;
    },
  };
}

/** The same for a TLS socket and for the TCP socket below it. */
export const keyOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;

/** No call runs, and no part of a request has arrived. */
export const isIdle = ({ calls, closing, socket, bytesAtRest }: Tracked): boolean =>
  calls === 0 && !closing && socket.bytesRead === bytesAtRest;

/** The connection to close for `newcomer`. undefined: all others have running calls. */
export function quietest(members: Iterable<Tracked>, newcomer: Tracked): Tracked | undefined {
  let found: Tracked | undefined;
  for (const tracked of members) {
    if (tracked === newcomer || (tracked.calls > 0 && !tracked.closing)) continue;
    if (!found || rank(tracked) < rank(found)) found = tracked;
  }
  return found;
}

const rank = ({ closing, progressAt }: Tracked): number => (closing ? progressAt - 1e9 : progressAt);

/** Many connections from one address are more likely an attack than one connection each from many. */
export function quietestOfLargest(groups: Map<string, Group>, newcomer: Tracked): Tracked | undefined {
  let found: Tracked | undefined;
  let size = 0;
  for (const { members } of groups.values()) {
    const candidate = members.size > size ? quietest(members, newcomer) : undefined;
    if (!candidate) continue;
    found = candidate;
    size = members.size;
  }
  return found;
}
