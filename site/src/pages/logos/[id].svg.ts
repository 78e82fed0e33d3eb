import type { APIRoute, GetStaticPaths } from "astro";

import { listVendors, markOf } from "../../lib/catalog.ts";

export const getStaticPaths = (async () =>
  (await listVendors()).flatMap(({ id, icon }) => {
    const mark = markOf(icon);
    return mark ? [{ params: { id }, props: { path: mark.path } }] : [];
  })) satisfies GetStaticPaths;

export const GET: APIRoute<{ path: string }> = ({ props }) =>
  new Response(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path id="mark" d="${props.path}"/></svg>`,
    { headers: { "content-type": "image/svg+xml" } },
  );
