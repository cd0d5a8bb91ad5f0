import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: [".venv/", ".tools/"] },
  js.configs.recommended,
  { rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error", curly: ["error", "multi-line"] } },
  { files: ["chatbot/web/static/**"], languageOptions: { globals: { ...globals.browser, io: "readonly" } } },
  { files: ["tests/**"], languageOptions: { globals: globals.node } },
];
