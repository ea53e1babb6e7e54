import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { HttpApiCounts } from './http-api/http-api.ts';
import type { Outcome } from './http-api/server.ts';

/** Counts the answers of the front. `text` is in the text format of Prometheus. */
interface FrontMetrics {
  count(outcome: Outcome, milliseconds: number): void;
  /** `counts`: undefined before the server has started. */
  text(counts: HttpApiCounts | undefined): string;
  stop(): void;
}

const BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];

/** shared/clock.ts publishes there. */
const CLOCK_SKEW = 'miniapp-cloud:clock-skew-ms';

export function frontMetrics(): FrontMetrics {
  const byClass = new Map<string, number>();
  const buckets = BUCKETS_MS.map(() => 0);
  let total = 0;
  let sumMs = 0;
  const loop = monitorEventLoopDelay({ resolution: 20 });
  loop.enable();
  let skewMs = 0;
  const onSkew = (message: unknown): void => {
    skewMs = Number(message);
  };
  subscribe(CLOCK_SKEW, onSkew);
  return {
    count(outcome, milliseconds) {
      const name = outcome === 'aborted' ? outcome : `${Math.floor(outcome / 100)}xx`;
      byClass.set(name, (byClass.get(name) ?? 0) + 1);
      // Its time would be that of the client's patience.
      if (outcome === 'aborted') return;
      total++;
      sumMs += milliseconds;
      BUCKETS_MS.forEach((limit, index) => {
        if (milliseconds <= limit) buckets[index] = (buckets[index] ?? 0) + 1;
      });
    },
    text(counts) {
      const lines = [
        '# HELP miniapp_http_answers_total Answers by the class of their status; aborted: the client was gone before.',
        '# TYPE miniapp_http_answers_total counter',
        ...[...byClass].sort().map(([name, value]) => `miniapp_http_answers_total{status="${name}"} ${value}`),
        '# HELP miniapp_http_seconds How long answers took.',
        '# TYPE miniapp_http_seconds histogram',
        ...BUCKETS_MS.map((limit, index) => `miniapp_http_seconds_bucket{le="${limit / 1000}"} ${buckets[index]}`),
        `miniapp_http_seconds_bucket{le="+Inf"} ${total}`,
        `miniapp_http_seconds_sum ${(sumMs / 1000).toFixed(3)}`,
        `miniapp_http_seconds_count ${total}`,
        ...(counts ? countLines(counts) : []),
        '# HELP miniapp_process_resident_bytes Memory of the process.',
        '# TYPE miniapp_process_resident_bytes gauge',
        `miniapp_process_resident_bytes ${process.memoryUsage.rss()}`,
        '# HELP miniapp_event_loop_p99_seconds The 99th percentile of the event loop delay.',
        '# TYPE miniapp_event_loop_p99_seconds gauge',
        `miniapp_event_loop_p99_seconds ${(loop.percentile(99) / 1e9).toFixed(4)}`,
        '# HELP miniapp_clock_skew_seconds The clock of this machine minus that of Redis, as the functions last saw it.',
        '# TYPE miniapp_clock_skew_seconds gauge',
        `miniapp_clock_skew_seconds ${(skewMs / 1000).toFixed(3)}`,
      ];
      return `${lines.join('\n')}\n`;
    },
    stop() {
      loop.disable();
      unsubscribe(CLOCK_SKEW, onSkew);
    },
  };
}

function countLines({ connections, calls }: HttpApiCounts): string[] {
  return [
    '# HELP miniapp_connections Open connections.',
    '# TYPE miniapp_connections gauge',
    `miniapp_connections ${connections.open}`,
    '# HELP miniapp_connections_dropped_total Connections that were closed to make room, or because they did nothing.',
    '# TYPE miniapp_connections_dropped_total counter',
    ...Object.entries(connections.dropped).map(
      ([reason, count]) => `miniapp_connections_dropped_total{reason="${reason}"} ${count}`,
    ),
    '# HELP miniapp_calls_running Calls that arrived whole and are not answered yet.',
    '# TYPE miniapp_calls_running gauge',
    `miniapp_calls_running ${calls.running}`,
    '# HELP miniapp_calls_refused_total Calls over the limit of one address, or of all.',
    '# TYPE miniapp_calls_refused_total counter',
    ...Object.entries(calls.refused).map(([limit, count]) => `miniapp_calls_refused_total{limit="${limit}"} ${count}`),
  ];
}
