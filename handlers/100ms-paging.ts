import * as z from "zod";

/** MongoDB ids, as 100ms gives to rooms, sessions, recordings and assets. */
export const Id = z.string().regex(/^[0-9a-f]{24}$/, "Expected 24 hexadecimal digits");
/** The least that 100ms takes is ten. */
export const Paging = {
  limit: z.number().int().min(10).max(100).default(20),
  cursor: z.string().max(100).optional(),
};
/** A page with fewer than were asked for is the last one. */
export const nextOf = (
  limit: number,
  { data, last }: { data: readonly unknown[]; last?: string | null | undefined },
) => (last && data.length >= limit ? { next: last } : {});
export const pageOf = <S extends z.ZodType>(item: S) =>
  z.object({
    data: z
      .array(item)
      .nullish()
      .transform((data) => data ?? []),
    last: z.string().nullish(),
  });
