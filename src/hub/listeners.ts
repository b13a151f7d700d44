import { readFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { LONGEST_HEAD } from "../api/app.ts";
import { noteEntrance, type Entrance } from "../api/entrance.ts";
import { isUploading } from "../api/uploading.ts";
import type { Topology } from "../cluster/topology.ts";
import { certificateFiles } from "../engines/tls.ts";
import { refusalOf } from "./no-request.ts";

/** Where one hub listens. */
export interface Doors {
  socket: string;
  port: number;
  peerPort: number;
}

/**
 * Whoever sends slowly, or nothing, is cut off, and a thousand who do leave room for others (faults F91; Node.js manual,
 * "server.headersTimeout" and the ones beside it).
 */
const PATIENCE = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2000,
  maxHeaderSize: LONGEST_HEAD,
};

const MOST_CONNECTIONS = 5000;

/** Opens every door of a hub. @throws when a port is taken */
export async function openDoors(
  listener: RequestListener,
  topology: Topology,
  doors: Doors,
): Promise<{ close(): Promise<void> }> {
  const { node, listen, paths } = topology;
  const servers: Server[] = [];
  const open = async (server: Server, where: { path: string } | { host: string; port: number }) => {
    servers.push(server);
    await listenOn(prepared(server), where);
  };
  const tls = certificateFiles(paths);
  const identity = { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
  const peer = createTlsServer(
    { ...PATIENCE, ...identity, requestCert: true, rejectUnauthorized: true },
    through(listener, "peer"),
  );
  await open(peer, { host: node.address, port: doors.peerPort });
  for (const host of listen)
    await open(createServer(PATIENCE, through(listener, "network")), { host, port: doors.port }).catch(
      (error: NodeJS.ErrnoException) => {
        // The machine may have lost an address since the last `up`, or have no IPv6: the others go on.
        if (error.code !== "EADDRNOTAVAIL" && error.code !== "EAFNOSUPPORT") throw error;
      },
    );
  // Last, since commands take it for a hub that is there. One that a killed hub left behind would hold the name.
  await rm(doors.socket, { force: true });
  await open(createServer(PATIENCE, through(listener, "socket")), { path: doors.socket });
  await chmod(doors.socket, 0o600);
  return { close: () => closeAll(servers) };
}

function through(listener: RequestListener, entrance: Entrance): RequestListener {
  return (request: IncomingMessage, response) => {
    noteEntrance(request, entrance);
    listener(request, response);
  };
}

function prepared(server: Server): Server {
  server.maxConnections = MOST_CONNECTIONS;
  return server.on("clientError", refuse);
}

/** What is no HTTP, too slow or too large is told so, and the connection ends. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  // Whoever was let in to send a large thing may take his time; its reader gives up on him when nothing comes any more.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && isUploading(socket)) return;
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  socket.end(refusalOf(error));
}

function listenOn(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      server.on("error", () => {});
      resolve();
    });
  });
}

/** Answers that are under way may end; followers of events are sent away. */
async function closeAll(servers: Server[]): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  for (const server of servers) server.closeIdleConnections();
  setTimeout(() => {
    for (const server of servers) server.closeAllConnections();
  }, 1000).unref();
  await Promise.all(closed);
}
