// The half of the application that is CommonJS.
exports.index = require("runtime-bridge");
exports.legacy = require("runtime-bridge/legacy");
exports.manager = require("runtime-bridge/legacy/html-runtime-manager");
exports.livestore = require("runtime-bridge/livestore");
exports.testing = require("runtime-bridge/testing");

exports.Mine = class Mine extends exports.legacy.BaseRuntime {
  async doStart() {}
  async doStop() {}
};
