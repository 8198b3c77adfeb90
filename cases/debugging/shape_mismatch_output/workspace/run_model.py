import torch

from classifier_model import ClassifierModel

BATCH = 2
CLASSES = 10


def main():
    model = ClassifierModel(num_classes=CLASSES)
    images = torch.randn(BATCH, 3, 224, 224)
    output = model(images)
    assert output.shape == (BATCH, CLASSES), f"unexpected output shape {tuple(output.shape)}"
    print("Model ran successfully")


if __name__ == "__main__":
    main()
