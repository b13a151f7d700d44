/** A number that goes up and down, read when it is asked for. */
export interface Gauge {
  name: string;
  help: string;
  read(): number | undefined;
}

const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Durations {
  buckets: number[];
  count: number;
  sum: number;
}

/** The hub's own numbers in Prometheus' text format (Prometheus manual, "Exposition formats"); all begin with `homelab_`. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Durations>();
  readonly #gauges: Gauge[] = [];

  /** `route` is the route's pattern and never its path: a name in it would make a series of its own. */
  request(method: string, route: string, status: number, seconds: number): void {
    const labels = `method="${method}",route="${route}",status="${status}"`;
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
    const key = `method="${method}",route="${route}"`;
    let durations = this.#durations.get(key);
    if (!durations) this.#durations.set(key, (durations = { buckets: BUCKETS.map(() => 0), count: 0, sum: 0 }));
    durations.count += 1;
    durations.sum += seconds;
    for (let i = BUCKETS.length - 1; i >= 0 && seconds <= BUCKETS[i]!; i--) durations.buckets[i]! += 1;
  }

  gauge(name: string, help: string, read: () => number | undefined): void {
    this.#gauges.push({ name: `homelab_${name}`, help, read });
  }

  text(): string {
    return `${[...this.#gaugeLines(), ...this.#requestLines(), ...this.#durationLines()].join("\n")}\n`;
  }

  #gaugeLines(): string[] {
    return this.#gauges.flatMap(({ name, help, read }) => {
      const value = read();
      return value === undefined ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value}`];
    });
  }

  #requestLines(): string[] {
    const name = "homelab_http_requests_total";
    const lines = [...this.#requests].map(([labels, count]) => `${name}{${labels}} ${count}`);
    return [`# HELP ${name} Requests that were answered`, `# TYPE ${name} counter`, ...lines];
  }

  #durationLines(): string[] {
    const name = "homelab_http_request_duration_seconds";
    const lines = [...this.#durations].flatMap(([labels, { buckets, count, sum }]) => [
      ...buckets.map((n, i) => `${name}_bucket{${labels},le="${BUCKETS[i]}"} ${n}`),
      `${name}_bucket{${labels},le="+Inf"} ${count}`,
      `${name}_sum{${labels}} ${sum.toFixed(6)}`,
      `${name}_count{${labels}} ${count}`,
    ]);
    return [`# HELP ${name} How long answers took`, `# TYPE ${name} histogram`, ...lines];
  }
}
