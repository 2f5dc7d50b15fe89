import 'uplot/dist/uPlot.min.css'
import './style.css'
import { render } from 'preact'
import { App } from './app.tsx'
import { startStore } from './store.ts'

const root = document.querySelector('#app')
if (root !== null) {
  root.replaceChildren()
  render(<App />, root)
  startStore()
}
