/** A value and where it came from: `default`, `environment`, a file's name, `flag`. */
export interface Layer {
  origin: string;
  values: Record<string, unknown>;
}

/** For each setting (`network.ports.direct`), the layer that it was taken from. */
export type Origins = Record<string, string>;

export const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Puts layers over one another, the last one on top: maps merge, everything else replaces, null removes. */
export function mergeLayers(layers: Layer[]): { values: Record<string, unknown>; origins: Origins } {
  const origins: Origins = {};
  let values: Record<string, unknown> = {};
  for (const layer of layers) values = mergeMap(values, layer.values, layer.origin, "", origins);
  return { values, origins };
}

function mergeMap(
  base: Record<string, unknown>,
  top: Record<string, unknown>,
  origin: string,
  path: string,
  origins: Origins,
) {
  // A map without prototype: a key such as __proto__ is a key like any other, and refused as unknown.
  const merged = Object.assign(Object.create(null) as Record<string, unknown>, base);
  for (const [key, value] of Object.entries(top)) {
    const at = path ? `${path}.${key}` : key;
    for (const known of Object.keys(origins))
      if (known === at || known.startsWith(`${at}.`)) if (!isMap(value)) delete origins[known];
    if (value === null || value === undefined) delete merged[key];
    else if (isMap(value)) merged[key] = mergeMap(isMap(merged[key]) ? merged[key] : {}, value, origin, at, origins);
    else {
      merged[key] = value;
      origins[at] = origin;
    }
  }
  return merged;
}

/** Lists every leaf of nested maps as `path → value`. */
export function flatten(value: Record<string, unknown>, path = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
    const at = path ? `${path}.${key}` : key;
    return isMap(item) && Object.keys(item).length > 0 ? flatten(item, at) : [[at, item]];
  });
}
