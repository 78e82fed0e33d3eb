import type { APIRoute, GetStaticPaths } from "astro";

import type { VendorDetail } from "../../../../handlers/catalog.ts";
import { drawerDetail, listVendors } from "../../lib/catalog.ts";

export const getStaticPaths = (async () =>
  (await listVendors()).map((vendor) => ({
    params: { id: vendor.id },
    props: vendor,
  }))) satisfies GetStaticPaths;

export const GET: APIRoute<VendorDetail> = ({ props }) => Response.json(drawerDetail(props));
