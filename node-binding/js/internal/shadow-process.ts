/** The process in which candidates run: it loads the addon and compares what it reads until its host is gone. */

import { load } from "./platform";

const loaded = load();
if ("error" in loaded) throw loaded.error;
loaded.addon.serveShadow();
