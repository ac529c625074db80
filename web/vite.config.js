import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  base: "/graphiql/",
  plugins: [react()],
  build: {
    outDir: "../app/http/graphiql",
    emptyOutDir: true,
    sourcemap: false,
    chunkSizeWarningLimit: 8000,
    assetsInlineLimit: 0,
  },
  worker: { format: "es" },
});
