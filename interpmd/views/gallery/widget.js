export default {
  render({ model, el }) {
    const show = () => gallery(model.get("scene"), el);
    model.on("change:scene", show);
    show();
  },
};
