import { closeStore, openStore, type Store } from "../store.js";

/** Lends a store to a test, filled with nothing, and closes it whatever happens. */
export const withStore = async <T>(use: (store: Store) => T | Promise<T>): Promise<T> => {
  const store = await openStore({ storeId: "nb-test" });
  try {
    return await use(store);
  } finally {
    await closeStore(store);
  }
};
