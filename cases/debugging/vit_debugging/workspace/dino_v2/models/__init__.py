from dino_v2.models import vision_transformer as vits


def build_model(args, only_teacher=False, img_size=224):
    """The teacher and its width, or the student, the teacher and their width."""
    options = {
        "img_size": img_size,
        "patch_size": args.patch_size,
        "init_values": args.layerscale,
        "ffn_layer": args.ffn_layer,
        "block_chunks": args.block_chunks,
        "qkv_bias": args.qkv_bias,
        "proj_bias": args.proj_bias,
        "ffn_bias": args.ffn_bias,
        "num_register_tokens": args.num_register_tokens,
        "interpolate_antialias": args.interpolate_antialias,
    }
    make = getattr(vits, args.arch)
    teacher = make(**options)
    if only_teacher:
        return teacher, teacher.embed_dim
    student = make(**options, drop_path_rate=args.drop_path_rate, drop_path_uniform=args.drop_path_uniform)
    return student, teacher, student.embed_dim


def build_model_from_cfg(cfg, only_teacher=False):
    return build_model(cfg.student, only_teacher=only_teacher, img_size=cfg.crops.global_crops_size)
