import type { VendorCard as Card } from "../../../handlers/catalog.ts";
import { categories } from "../../../handlers/define.ts";
import type { Mark } from "../lib/catalog.ts";
import { Icon } from "./Icon.tsx";
import { VendorLogo } from "./VendorLogo.tsx";

/** Built as HTML; `entries/marketplace.tsx` filters it and fills `.card-state` once signed in. */
export function VendorCard({ vendor, mark }: { vendor: Card; mark: Mark | null }) {
  const { id, name, category, description } = vendor;
  const words = [
    name,
    ...[category, ...vendor.also_in].map((each) => categories[each]),
    ...vendor.areas,
    ...vendor.keywords,
    ...vendor.capabilities,
    description,
  ];
  return (
    <li
      class="card"
      data-vendor={id}
      data-areas={vendor.areas.join(" ")}
      data-categories={[category, ...vendor.also_in].join(" ")}
      data-words={words.join("\n")}
    >
      <div class="card-head">
        <VendorLogo id={id} name={name} mark={mark} />
        <div>
          <h2>
            <a href={`/vendors/${id}/`}>{name}</a>
          </h2>
          <p class="quiet small">{categories[category]}</p>
        </div>
      </div>
      <p class="card-text">{description}</p>
      <div class="card-foot">
        <div class="card-state">
          {vendor.access.kind === "partner" ? (
            <span class="badge badge-line">
              <Icon name="handshake" size={14} />
              Partner access
            </span>
          ) : (
            vendor.featured && <span class="badge badge-line">Featured</span>
          )}
        </div>
        <button
          type="button"
          class="button button-plain button-small"
          data-configure={id}
          aria-label={`Configure ${name}`}
        >
          Configure
        </button>
      </div>
    </li>
  );
}
