import { defineConfig } from 'vite'

/** Relative addresses: the page works behind a proxy that puts a path before it. */
export default defineConfig({ base: './', build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } } })
