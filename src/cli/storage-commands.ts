import type { Command } from "commander";
import { action, count } from "./action.ts";

/** Where backups are kept. */
export function addStorage(program: Command): void {
  const storage = program.command("storage").description("where backups are kept");
  const load = async () => import("./commands/storage.ts");
  storage
    .command("list")
    .description("every repository, what it holds, and what is the matter with it")
    .action(action(async () => (await load()).list));
  const add = storage.command("add").description("one repository more: it is tried out before it is taken");
  add
    .command("disk <repository>")
    .description("a folder of this machine, best on another disk")
    .requiredOption("--path <dir>", "the folder; made where it is missing")
    .action(action(async () => (await load()).addDisk));
  add
    .command("s3 <repository>")
    .description("a bucket of an S3-compatible server, over https")
    .requiredOption("--endpoint <host>", "the server's name or address, without https://")
    .requiredOption("--bucket <bucket>", "the bucket; it must be there already")
    .option("--port <port>", "443 by default", count("--port"))
    .option("--path <path>", "the path within the bucket, /homelab by default")
    .option("--region <region>", "us-east-1 by default")
    .option("--uri-style <style>", "path (the default) or host: where the bucket's name stands")
    .option("--ca-file <file>", "the CA's certificate in PEM, where this machine does not know it")
    .option(
      "--keys-file <file>",
      "two lines: the access key, then the secret. Else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or they are asked for, or read from standard input",
    )
    .action(action(async () => (await load()).addS3));
  storage
    .command("test <repository>")
    .description("write, read, list and delete something there; the exit code tells")
    .action(action(async () => (await load()).test));
  storage
    .command("remove <repository>")
    .description("give a repository up; what is there stays where it is")
    .action(action(async () => (await load()).remove));
}
