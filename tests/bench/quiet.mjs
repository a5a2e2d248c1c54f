// A logger for peers that says nothing.

const nothing = () => undefined;

export const silent = { error: nothing, warn: nothing, info: nothing, debug: nothing };
