import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderUnit, unitName } from "./systemd.ts";

const program = { build: "1", folder: "/srv/homelab/app/1", node: "/srv/homelab/app/1/node" };

/** The words of ExecStart as systemd reads them (systemd.service(5), "Command lines"). */
function execStart(unit: string): string[] {
  const [line] = unit.split("\n").filter((text) => text.startsWith("ExecStart="));
  const words = line!.slice("ExecStart=".length).match(/"(?:[^"\\]|\\.)*"/g)!;
  return words.map((word) => word.slice(1, -1).replace(/\\(.)/g, "$1").replaceAll("%%", "%").replaceAll("$$", "$"));
}

describe("the unit of the agent", () => {
  const unit = renderUnit("/srv/homelab", "homelab", program);

  test("runs the agent, as the engines' own user", () => {
    expect(execStart(unit)).toEqual([
      "/srv/homelab/app/1/node",
      "--disable-warning=ExperimentalWarning",
      "--max-semi-space-size=1",
      "/srv/homelab/app/1/agent.js",
      "--home",
      "/srv/homelab",
    ]);
    expect(unit).toContain("\nUser=homelab\n");
  });

  test("leaves the engines alone whatever becomes of the agent, and starts it again for ever", () => {
    for (const line of ["KillMode=process", "Restart=on-failure", "StartLimitIntervalSec=0"])
      expect(unit.split("\n")).toContain(line);
  });

  test("reads any path of a home as one word", () => {
    const path = fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", "%", "$", "'", "/", "{"), minLength: 1 });
    fc.assert(
      fc.property(path, (home) => {
        expect(execStart(renderUnit(home, "homelab", program)).at(-1)).toBe(home);
      }),
    );
  });
});

test("a unit is called after its home: the machine's own plainly, another by a mark of its path", () => {
  expect(unitName("/var/lib/homelab")).toBe("homelab.service");
  expect(unitName("/srv/a")).toMatch(/^homelab-[0-9a-f]{8}\.service$/);
  expect(unitName("/srv/a")).not.toBe(unitName("/srv/b"));
});
