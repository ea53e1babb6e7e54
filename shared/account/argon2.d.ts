/** hash-wasm declares types for its main entry only; this part of it is a fraction of the size. */
declare module 'hash-wasm/dist/argon2.umd.min.js' {
  const argon2: Pick<typeof import('hash-wasm'), 'argon2id' | 'argon2Verify'>;
  export default argon2;
}
