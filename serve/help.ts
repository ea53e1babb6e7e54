/** Printed by `npm run serve -- --help`. */
export const help = `npm run serve -- [options]   serves the built functions (npm run build) over HTTP, without AWS

  --host HOST        the address to listen on (default 127.0.0.1)
  --port N           its port (default 8000; 0 takes a free port)
  --admin-port N     GET /ready and GET /metrics on 127.0.0.1 (default 8001; 0 takes a free port)
  --h5-origins LIST  web pages that may call from a browser, such as https://h5.example.com, comma separated; default:
                     the environment's H5_ORIGINS, or those of the stage (STAGE) in serverless.yml
  --no-schedules     do not run cache-warm, recharge-sweep and upload-sweep; one other process must run them
  --help

Environment: the variables of the functions, see .env.example, and

  H5_ORIGINS               as --h5-origins
  TRUSTED_PROXIES          proxies whose X-Forwarded-For is used: addresses and CIDR ranges, comma separated
  FORWARDED_HEADER         x-forwarded-for or forwarded: read only this one. Unset: X-Forwarded-For, and Forwarded
                           where that is missing
  TLS_CERT_FILE            PEM files: serves HTTPS without a proxy in front
  TLS_KEY_FILE
  MAX_CONCURRENT=256       calls served at once, counted when they have arrived whole; more calls get 503
  MAX_CONCURRENT_PER_ADDRESS=64     the same for one address (IPv6: one /64); more calls get 429
  MAX_CONNECTIONS=4096     connections at once, and those of one address; for a new one the connection is closed that
  MAX_CONNECTIONS_PER_ADDRESS=128   did nothing for the longest time. Trusted proxies have no limit of their own
  MAX_BODY_BYTES=131072    a larger body gets 413
  HEAD_SECONDS=10          time for a client to make the TLS handshake, to send the request line and headers,
  REQUEST_SECONDS=30       to send the whole request (then 408), and to take an answer
  DRAIN_SECONDS=0          how long /ready answers 503 before the process stops taking requests
  DRAIN_IDLE_SECONDS=3     after that, a connection that was not used for so long is closed

It prints "ready <url>" when it serves. From SIGTERM on its answers close their connections; it answers the accepted
requests and ends.
More: docs/self-hosting.md.`;
