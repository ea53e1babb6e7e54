// The session of this client: in memory, and kept by the platform. A failure of the platform's storage breaks no call.
import type { Keep } from './keep.ts';
import { within } from './patience.ts';

export interface SignedIn {
  /** v3: its name, `<userId>.<sid>`. v2: the session token. */
  session: string;
  userId: string;
  /** Signs the calls of v3; '': v2. */
  key: string;
  /** Milliseconds since 1970, by the clock of the server: when this session was opened. */
  at: number;
  /** It came from a WeChat login, so it can be replaced without the user. */
  silent: boolean;
}

export interface SessionBook {
  /** The calls of this client are those of that user; null: of the user who logs in next. */
  user: string | null;
  /** False after a logout, and after the end of a session that a password opened: no silent login then. */
  silent: boolean;
  /** A login that began before a logout opens no session. */
  logouts: number;
  /** null: nobody is logged in. */
  current(): Promise<SignedIn | null>;
  adopt(session: SignedIn): Promise<void>;
  /** Whether this session, and no newer one, signs the calls now. */
  holds(session: SignedIn): boolean;
  /** Forgets only this session: a late refusal of an old session must not end a newer one, here or in another page. */
  forget(session: SignedIn): Promise<void>;
  /** From now on no silent login takes the place of this session. */
  stopSilence(): Promise<void>;
  /** Forgets the session at once, whichever it is. */
  logOut(): Promise<void>;
}

const STORAGE_MS = 2000;

/** `read` gives null for a text that is no session; `write` is its opposite. */
export function sessionBook(
  keep: Keep,
  read: (text: string | null) => SignedIn | null,
  write: (session: SignedIn) => string,
): SessionBook {
  /** The last session that ended here. The storage may still hold it. */
  let ended = '';
  let memory: SignedIn | null = null;
  /** Counts the changes of `memory`, so that a slow storage does not bring back an older session. */
  let changes = 0;
  /** The storage holds what `memory` holds, so what another page writes there counts. */
  let isKept = true;
  let loading: Promise<void> | null = null;
  let writing = 0;
  let saves = Promise.resolve();

  async function load(): Promise<void> {
    const change = changes;
    try {
      const found = read(await within(STORAGE_MS, () => keep.load()));
      if (change !== changes) return;
      memory = found && found.session !== ended ? found : null;
      if (!memory) return;
      // v2 stays with whichever token is stored.
      book.user = (memory.key && book.user) || memory.userId;
      book.silent = memory.silent;
    } catch {
      // The storage does not answer: what is in memory counts.
    }
  }
  function save(): Promise<void> {
    const change = ++changes;
    const text = memory && write(memory);
    isKept = false;
    // What is in memory counts now, also if the storage was never read.
    loading = loading || saves;
    const saved = async (): Promise<void> => {
      // Some storages take a text and do not keep it.
      const isThere = !text || keep.exclusive || (await keep.load()) !== null;
      isKept = isThere && change === changes;
    };
    const ended = (): void => {
      // A slow storage wrote an older text last.
      if (--writing === 0 && change !== changes) save();
    };
    writing++;
    const written = new Promise((done) => done(keep.save(text)));
    written.then(ended, ended);
    saves = within(STORAGE_MS, () => written.then(saved)).catch(() => undefined);
    return saves;
  }
  function end(): void {
    if (memory) ended = memory.session;
    memory = null;
    changes++;
  }

  const book: SessionBook = {
    user: null,
    silent: true,
    logouts: 0,
    async current() {
      if (!loading || (isKept && !keep.exclusive)) loading = load();
      await loading;
      return memory;
    },
    holds: ({ session }) => memory !== null && memory.session === session,
    async adopt(session) {
      memory = session;
      book.user = book.user || session.userId;
      book.silent = session.silent;
      await save();
    },
    async forget(session) {
      if (!memory || memory.session !== session.session) return saves;
      end();
      await load();
      // Nothing newer is there, from another page.
      if (!memory) await save();
    },
    async stopSilence() {
      book.silent = false;
      if (!memory) return;
      memory = { ...memory, silent: false };
      await save();
    },
    logOut() {
      end();
      book.user = null;
      book.silent = false;
      book.logouts++;
      return save();
    },
  };
  return book;
}
