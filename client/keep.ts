// Where the session of a public app is kept between two starts of the program.

export interface Keep {
  /** The text that was saved last; null: none. */
  load(): Promise<string | null>;
  /** null deletes it. */
  save(text: string | null): Promise<unknown>;
  /** True: no other page writes it, so it is not read at each call. */
  exclusive?: boolean;
}

/** Ends with the page. */
export const memoryKeep: Keep = { load: async () => null, save: async () => undefined, exclusive: true };

export interface WxCallbacks<T> {
  success(result: T): void;
  fail(failure: { errMsg?: string }): void;
}

/** The result of a function of `wx`. */
export function asked<T>(ask: (callbacks: WxCallbacks<T>) => unknown): Promise<T> {
  return new Promise((success, fail) => ask({ success, fail }));
}

/** The used part of `wx`. */
export interface WxStorage {
  getStorage(options: WxCallbacks<{ data: unknown }> & { key: string; encrypt?: boolean }): unknown;
  setStorage(options: WxCallbacks<object> & { key: string; data: unknown; encrypt?: boolean }): unknown;
  removeStorageSync(key: string): void;
}

/**
 * Encrypted by WeChat since base library 2.21.3, only in the asynchronous calls, and only if both of them ask for it.
 * Older libraries do not know the option and keep the text as it is.
 */
export function wxKeep(wx: WxStorage, key: string): Keep {
  const encrypt = true;
  return {
    exclusive: true,
    // It also fails for a key that does not exist.
    load: () =>
      asked<{ data: unknown }>((callbacks) => wx.getStorage({ ...callbacks, key, encrypt })).then(
        ({ data }) => data as string,
        () => null,
      ),
    // Removed synchronously, so that a logout holds even if the program ends at once.
    save: async (data) =>
      data === null
        ? wx.removeStorageSync(key)
        : asked((callbacks) => wx.setStorage({ ...callbacks, key, data, encrypt })),
  };
}
