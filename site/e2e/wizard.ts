import type { Page } from "playwright-core";

import type { FieldValues } from "../../handlers/fields.ts";

/** What a person does in the configuration drawer. */
export function wizardOf(page: Page) {
  const drawer = page.getByRole("dialog");
  const button = (name: string | RegExp) => drawer.getByRole("button", { name, exact: true });
  const wizard = {
    drawer,
    button,
    press: (name: string | RegExp) => button(name).click(),
    /** Types the values into the fields that are shown now. */
    async fill(values: FieldValues) {
      for (const [key, value] of Object.entries(values)) {
        const input = drawer.locator(`#field-${key}`);
        if ((await input.count()) && (await input.isVisible())) await input.fill(String(value));
      }
    },
    /** Goes through the steps, filling each, until the one that verifies. */
    async toVerify(values: FieldValues = {}) {
      for (;;) {
        await wizard.fill(values);
        if (await button("Test").or(button("Test again")).isVisible()) return;
        await wizard.press("Next");
      }
    },
    async toStart() {
      while (await button("Back").isVisible()) await wizard.press("Back");
    },
  };
  return wizard;
}
