/** The little that the tests use of s3rver 3.7.1, which comes without types. */
declare module "s3rver" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  class S3rver {
    constructor(options: Record<string, unknown>);
    configureBuckets(): Promise<unknown>;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    on(event: string, listener: (error: Error) => void): void;
  }
  export = S3rver;
}

declare module "s3rver/lib/models/account.js" {
  export const DUMMY_ACCOUNT: { createKeyPair(key: string, secret: string): void };
}

declare module "s3rver/lib/models/object.js" {
  const S3Object: new (bucket: string, key: string, content: null, metadata: unknown) => object;
  export = S3Object;
}

declare module "s3rver/lib/stores/filesystem.js" {
  interface Listing {
    delimiter?: string;
    startAfter?: string;
    prefix?: string;
    maxKeys?: number;
  }

  class FilesystemStore {
    static encodeKeyPath(key: string): string;
    static decodeKeyPath(path: string): string;
    getBucketPath(bucket: string): string;
    getMetadata(bucket: string, key: string): Promise<unknown>;
    listObjects(
      bucket: string,
      listing: Listing,
    ): Promise<{ objects: object[]; commonPrefixes: string[]; isTruncated: boolean }>;
    deleteObject(bucket: string, key: string): Promise<void>;
  }
  export = FilesystemStore;
}
