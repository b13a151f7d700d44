import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cleanEnvironment, run } from "../../src/host/run.ts";
import { checkout } from "../harness/home.ts";

interface TrackedFile {
  path: string;
  text: string;
}

let files: TrackedFile[];
beforeAll(async () => {
  const env = cleanEnvironment({ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "safe.directory", GIT_CONFIG_VALUE_0: "*" });
  const argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"] as const;
  const { stdout } = await run({ argv: [...argv], cwd: checkout, env });
  const paths = stdout.split("\0").filter(Boolean);
  const read = async (path: string) => ({ path, text: await readFile(join(checkout, path), "utf8").catch(() => "") });
  files = await Promise.all(paths.map(read));
});

/** Lines that hold the pattern, as `file:line`. */
const places = (pattern: RegExp, among: TrackedFile[]): string[] =>
  among.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}`] : [])),
  );

// A letter of each stands in brackets, so that this file is not what it looks for.
const BUILD_PATHS = /\/(wo[r]k|ro[o]t|home\/[a-z]+|Us[e]rs)\//;
const REGISTRY =
  /"reso[l]ved":|^\s*regis[t]ry\s*=|https?:\/\/[^/\s"']*(regis[t]ry|artifactory|nexus|verdaccio|pypi|pro[x]y|mirror)[^/\s"']*/i;
const KEY_BLOCK = /-----BEGIN [A-Z ]*PRIVATE KE[Y]-----(\\n|\s)*[A-Za-z0-9+/]{20}/;

describe("the files of the repository", () => {
  test("were all read", () => {
    const paths = files.map(({ path }) => path);
    for (const path of ["package-lock.json", "src/cli/main.ts", "tests/unit/tracked-files.test.ts"])
      expect(paths).toContain(path);
  });

  test("hold no path of the machine that they were written on", () => {
    // The guide tells root where root's own files are.
    const found = places(BUILD_PATHS, files).filter((place) => !/^(docs\/.*|README|CONTRIBUTING)\.md:/.test(place));
    expect(found).toEqual([]);
    expect(
      places(
        /\/wo[r]k\//,
        files.filter(({ path }) => path.endsWith(".md")),
      ),
    ).toEqual([]);
  });

  test("name no host of a package registry: npm finds its own", () => {
    expect(places(REGISTRY, files)).toEqual([]);
  });

  test("hold no private key", () => {
    expect(files.filter(({ text }) => KEY_BLOCK.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

test("the search finds what it looks for", () => {
  // Spelt with a sign too many, and put right only here.
  const planted = (text: string): TrackedFile[] => [{ path: "x", text: text.replaceAll("~", "") }];
  expect(places(BUILD_PATHS, planted("at /w~ork/main/src\n/r~oot/x"))).toEqual(["x:1", "x:2"]);
  expect(places(REGISTRY, planted('  "re~solved": "x"\nreg~istry=x\nhttps://npm-pr~oxy.example/a'))).toHaveLength(3);
  const [key] = planted("-----BEGIN EC PRIVATE KE~Y-----\nMHcCAQEEIIGl1c2VyZWRhY3RlZA==");
  expect(KEY_BLOCK.test(key!.text)).toBe(true);
});
