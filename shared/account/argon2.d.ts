/** hash-wasm declares types for its main entry only. We import the part with argon2 alone, which is much smaller. */
declare module 'hash-wasm/dist/argon2.umd.min.js' {
  const argon2: Pick<typeof import('hash-wasm'), 'argon2id' | 'argon2Verify'>;
  export default argon2;
}
