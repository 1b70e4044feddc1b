// Calls a web UI through npm's stable-diffusion-api and prints what came back as one line of JSON.
// Arguments: the base URL, then a user and a password if the API wants them.
import { createHash } from "node:crypto";
import sharp from "sharp";
import { StableDiffusionApi } from "stable-diffusion-api";

const [baseUrl, user, password] = process.argv.slice(2);
const api = new StableDiffusionApi({ baseUrl });
if (user) api.setAuth(user, password);

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

// Each picture as it came, and as sharp sees it.
const pictures = (result) =>
  Promise.all(
    result.images.map(async (image, i) => {
      const { data, info } = await image.clone().raw().toBuffer({ resolveWithObject: true });
      return {
        file: sha256(Buffer.from((result.response.data.images ?? [result.response.data.image])[i], "base64")),
        pixels: sha256(data),
        size: [info.width, info.height],
        format: (await image.metadata()).format,
      };
    }),
  );
const seen = async (result) => ({
  pictures: await pictures(result),
  info: result.info,
  parameters: result.parameters,
});
const refusal = (call) =>
  call.then(
    () => null,
    (error) => ({ status: error.response?.status, data: error.response?.data }),
  );

const drawing = { steps: 2, width: 64, height: 48, seed: 7 };
const red = sharp({ create: { width: 32, height: 32, channels: 3, background: "#ff0000" } });

try {
  const drawn = await api.txt2img({ prompt: "ein Bär 熊", negative_prompt: "fog", batch_size: 2, ...drawing });
  const redrawn = await api.img2img({ init_images: [red.clone()], mask_image: red.clone(), prompt: "b", ...drawing });
  const read = await api.pngInfo(redrawn.image.clone().keepMetadata());
  const options = await api.getOptions();
  await api.waitForReady(0.02);
  const got = {
    txt2img: await seen(drawn),
    img2img: await seen(redrawn),
    pngInfo: read.info,
    progress: await api.getProgress(),
    progressWithout: await api.getProgress(true),
    interrupt: (await api.api.post("/sdapi/v1/interrupt")).data,
    skip: (await api.api.post("/sdapi/v1/skip")).data,
    setOptions: await api.setOptions(options),
    model: await api.getCurrentModel(),
    flags: Object.keys(await api.getCmdFlags()),
    samplers: await api.getSamplers(),
    upscalers: await api.getUpscalers(),
    models: await api.getSdModels(),
    hypernetworks: await api.getHypernetworks(),
    faceRestorers: await api.getFaceRestorers(),
    realesrgan: await api.getRealesrganModels(),
    styles: await api.getPromptStyles(),
    refused: await refusal(api.txt2img({ prompt: "c", ...drawing, steps: "many" })),
    nowhere: await refusal(api.api.get("/sdapi/v1/nothing-here")),
  };
  await api.refreshCheckpoints();
  console.log(JSON.stringify(got));
} catch (error) {
  if (!error.response) throw error;
  console.log(JSON.stringify({ refused: { status: error.response.status, data: error.response.data } }));
}
