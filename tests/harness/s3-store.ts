import { readdirSync } from "node:fs";
import { join } from "node:path";
import S3Object from "s3rver/lib/models/object.js";
import Store from "s3rver/lib/stores/filesystem.js";

type Listing = Parameters<Store["listObjects"]>[1];

/** The end of the file that s3rver writes for each object. */
const OBJECT = "._S3rver_object";

/** The keys below a folder of a bucket's own. */
function keysBelow(root: string, folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) return keysBelow(root, path);
    return path.endsWith(OBJECT) ? [Store.decodeKeyPath(path.slice(0, -OBJECT.length))] : [];
  });
}

/** Sorts keys into what is listed, and the prefixes that stand for what lies deeper. */
function sorted(keys: string[], { delimiter = "", startAfter = "", prefix = "", maxKeys = Infinity }: Listing) {
  const [listed, prefixes] = [[] as string[], new Set<string>()];
  for (const key of keys) {
    if (key <= startAfter || !key.startsWith(prefix)) continue;
    const deeper = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    if (deeper !== -1) prefixes.add(key.slice(0, deeper + 1));
    else if (listed.length >= maxKeys) return { listed, prefixes, isTruncated: true };
    else listed.push(key);
  }
  return { listed, prefixes, isTruncated: false };
}

/**
 * s3rver 3.7.1 leaves out of a listing the prefixes that hold only others, so that expired backups would never be deleted
 * (measured: 974 objects left behind), and it answers 500 when two deletions empty one folder.
 */
export function mendStore(): void {
  Store.prototype.listObjects = async function (bucket, listing) {
    const folder = Store.encodeKeyPath(listing.prefix ?? "").replace(/\/?[^/]*$/, "");
    const keys = keysBelow(this.getBucketPath(bucket), folder).sort();
    const { listed, prefixes, isTruncated } = sorted(keys, listing);
    const objects = await Promise.all(
      listed.map(async (key) => {
        // It may be deleted meanwhile.
        const metadata = await this.getMetadata(bucket, key).catch(() => undefined);
        return metadata === undefined ? undefined : new S3Object(bucket, key, null, metadata);
      }),
    );
    return { objects: objects.filter((each) => each !== undefined), commonPrefixes: [...prefixes].sort(), isTruncated };
  };
  const remove = Store.prototype.deleteObject;
  Store.prototype.deleteObject = async function (bucket, key) {
    try {
      await remove.call(this, bucket, key);
    } catch (error) {
      if (!["ENOENT", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  };
}
