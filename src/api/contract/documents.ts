import { z } from "zod";
import type { Contract } from "../endpoint.ts";

export const documentsContract = {
  "GET /healthz": {
    summary: "The hub lives",
    tag: "probes",
    scope: null,
    answers: { 200: z.strictObject({ status: z.literal("ok") }) },
  },
  "GET /readyz": {
    summary: "The hub can serve: the installation is read, and PostgreSQL answers",
    tag: "probes",
    scope: null,
    answers: { 200: z.strictObject({ status: z.literal("ready") }) },
  },
  "GET /metrics": {
    summary: "The hub's own numbers, for Prometheus",
    tag: "probes",
    scope: "read",
    answers: { 200: null },
    produces: "text/plain",
  },
  "GET /api/openapi.json": {
    summary: "This document",
    tag: "documents",
    scope: null,
    answers: { 200: z.record(z.string(), z.unknown()) },
  },
  "GET /api/docs": {
    summary: "This document, as a page",
    tag: "documents",
    scope: null,
    answers: { 200: null },
    produces: "text/html",
  },
  "GET /api/docs.css": {
    summary: "The page's style",
    tag: "documents",
    scope: null,
    answers: { 200: null },
    produces: "text/css",
  },
  "GET /": {
    summary: "Leads a browser to the first page",
    tag: "pages",
    scope: null,
    answers: { 302: null },
    produces: "text/plain",
  },
  "GET /setup": {
    summary: "The page that makes the first admin",
    tag: "pages",
    scope: null,
    answers: { 200: null },
    produces: "text/html",
  },
  "GET /login": {
    summary: "The page to sign in",
    tag: "pages",
    scope: null,
    answers: { 200: null },
    produces: "text/html",
  },
  "GET /door.js": {
    summary: "The script of both pages",
    tag: "pages",
    scope: null,
    answers: { 200: null },
    produces: "text/javascript",
  },
  "GET /door.css": {
    summary: "Their style",
    tag: "pages",
    scope: null,
    answers: { 200: null },
    produces: "text/css",
  },
} as const satisfies Contract;
