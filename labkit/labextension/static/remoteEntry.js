// Go cells, the ones that begin with %%go, in the colours of Go.
//
// A JupyterLab extension written by hand, with no build step: JupyterLab loads this very
// file as a federated module, calls init() with what it shares, then get() for the plugin.
//
// The language of a Go cell is set in its CodeMirror editor, above the notebook's own, and
// not through the MIME type of the cell. So it changes in the same step as the text does,
// and a kernel that starts late and names the notebook's language has no say in it. It
// comes and goes with the editor: there are no notebooks to follow, no signals to let go.
"use strict";

(() => {
  // IPython runs a cell magic below blank lines too.
  const isGo = (text) => /^\s*%%go(?!\S)/.test(text.toString());

  let shared; // module name -> version -> { get, loaded }

  /** One of JupyterLab's own modules, the copy that JupyterLab itself uses. */
  async function load(name) {
    const copies = Object.values(shared[name]);
    const copy = copies.find((one) => one.loaded) ?? copies[0];
    return (await copy.get())();
  }

  /** The Go mode, which begins only below the line with the magic. */
  function belowMagic(mode) {
    return {
      ...mode,
      startState: (unit) => ({ ...mode.startState(unit), above: true }),
      token(stream, state) {
        if (!state.above) return mode.token(stream, state);
        state.above = stream.string.trim() === "";
        stream.skipToEnd();
        return "meta";
      },
    };
  }

  /** A function that makes an editor's extension from the text it opens with. */
  async function goCells(mode) {
    const { Compartment, EditorState, Prec } = await load("@codemirror/state");
    const { StreamLanguage, indentUnit } = await load("@codemirror/language");

    const go = Prec.highest([StreamLanguage.define(belowMagic(mode)), indentUnit.of("\t")]);
    const language = new Compartment();
    const choose = (text) => (isGo(text) ? go : []);
    const follow = EditorState.transactionExtender.of((change) => {
      const chosen = choose(change.newDoc);
      const present = language.get(change.startState);
      return (chosen === go) === (present === go)
        ? null
        : { effects: language.reconfigure(chosen) };
    });
    return (text) => [language.of(choose(text)), follow];
  }

  async function makePlugin() {
    const { EditorExtensionRegistry, IEditorExtensionRegistry, IEditorLanguageRegistry } =
      await load("@jupyterlab/codemirror");
    return {
      id: "labkit-go:cells",
      description: "Shows cells that begin with %%go in the colours of Go.",
      autoStart: true,
      requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
      async activate(app, extensions, languages) {
        const { support } = await languages.getLanguage("text/x-go");
        const extension = await goCells(support.language.streamParser);
        extensions.addExtension({
          name: "labkit-go",
          factory: ({ model }) =>
            model.type === "code"
              ? EditorExtensionRegistry.createImmutableExtension(
                  extension(model.sharedModel.getSource()),
                )
              : null,
        });
      },
    };
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["labkit-go"] = {
    init: (scope) => (shared = scope),
    async get() {
      const plugin = await makePlugin();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
